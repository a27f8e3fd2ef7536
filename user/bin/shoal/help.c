/* help: what there is, with examples that can be typed as they stand (a test does). */
#include "shoal.h"

#include <stdio.h>
#include <string.h>

struct entry {
    const char *name, *usage, *text;
    const char *examples[3];
};

static const char *const group_names[] = {"The cluster", "Processes and jobs", "Files and text", "This machine",
                                          "The shell"};

static const struct entry cluster_entries[] = {
    {"nodes",
     "nodes [add|undrain|promote|demote|drain|remove NODE]",
     "the machines of the cluster, and how they are; whether one votes, gets jobs, takes part",
     {"nodes"}},
    {"on",
     "on NODE PROGRAM [WORD...]",
     "runs a program on another machine, with this one's files and terminal",
     {"on 1 echo hello", "on 1 wc /etc/supervisor.conf"}},
    {"run",
     "run [-n COUNT | --job] PROGRAM [WORD...]",
     "runs a program where there is least to do; -n on several; --job hands it to the cluster",
     {"run echo hello", "run -n 3 date", "run --job 'wc /etc/supervisor.conf'"}},
    {"placements", "placements", "the cluster's jobs, where they run, and why there", {"placements"}},
    {"lock",
     "lock [--shared] [--try] [--wait SECONDS] [--delay SECONDS] NAME -- PROGRAM [WORD...]",
     "runs a program while holding a lock of the cluster; $FENCE is its token; --list: all, and which process (of "
     "`ps`) holds each: 1.? if node 1 does not answer, 1.- if it has just ended; --waits: who waits for whose, and "
     "circles of them",
     {"lock demo -- echo alone", "lock --list", "lock --waits"}},
    {"allow",
     "allow [--under PREFIX] [CLASS...] -- PROGRAM [WORD...]",
     "runs a program that may ask less of the cluster; alone: the classes, and which this shell has",
     {"allow --under app/ write -- put app/x 1", "allow -- echo nothing of the cluster", "allow"}},
    {"sem",
     "sem NAME PERMITS -- PROGRAM [WORD...]",
     "runs a program while holding one of so many permits",
     {"sem demo-sem 2 -- echo in"}},
    {"barrier", "barrier NAME COUNT", "waits until so many wait at it", {"barrier demo-barrier 1"}},
    {"elect",
     "elect NAME VALUE -- PROGRAM [WORD...], elect NAME",
     "runs a program once elected, while all can read the value; or shows it, and whose it is",
     {"elect demo-chief me -- echo elected"}},
    {"txn",
     "txn [if COMPARISON and ...] then CHANGE and ... [else CHANGE and ...]",
     "changes keys together, if all comparisons hold: KEY = VALUE, KEY at REVISION, KEY absent, KEY exists, lock NAME "
     "FENCE",
     {"txn if t absent then put t 1 and put u 2 else del t", "txn then del t and del u"}},
    {"watch",
     "watch [--elections] [--from REVISION] [--count COUNT] [PREFIX]",
     "shows changes of keys, or of who is elected, as they come, until ^C",
     {NULL}},
    {"put",
     "put [--sequence] KEY VALUE, or put --ephemeral [--sequence] KEY VALUE -- PROGRAM [WORD...]",
     "sets a key of the cluster; --sequence: puts a number that rises behind its name, and shows that; --ephemeral: it "
     "is "
     "there while the program runs",
     {"put color blue", "put --sequence queue/ me", "put --ephemeral here yes -- get here"}},
    {"get", "get KEY", "shows a key's value", {"get color"}},
    {"keys", "keys [PREFIX]", "lists keys", {"keys"}},
    {"del", "del KEY", "removes a key", {"del color"}},
    {"raft",
     "raft [transfer NODE | recover | wipe] [--yes-lose-data CLUSTER]",
     "how the machines agree: role, term, log, members; transfer: another leads; recover: when a majority is lost for "
     "good, begins a new epoch from this node's log, after telling what may be lost and asking; wipe: gives this "
     "node's "
     "log up, to join anew",
     {"raft"}},
    {"key",
     "key [rotate | leaked | enter | drop | cancel | show]",
     "the key that the machines know each other by; rotate: another for all, without a stop; leaked: likewise after "
     "strangers learnt it, with a key that is typed here and, by `key enter`, on each machine; enter: gives this "
     "machine "
     "the key it lacks; drop: the old one is void now; cancel: the change is given up; show: the key, for who enters "
     "it",
     {"key"}},
    {"ping", "ping NODE-OR-ADDRESS [COUNT]", "asks a machine for an answer", {"ping 127.0.0.1 1"}},
    {NULL, NULL, NULL, {NULL}}};

static const struct entry process_entries[] = {
    {"ps", "ps [-a]", "the processes of all nodes, with memory and time; -a: the servers, too", {"ps", "ps -a"}},
    {"top", "top", "this machine's load, memory and processes", {"top"}},
    {"kill",
     "kill [-SIGNAL] PROCESS-OR-%JOB..., or kill --job JOB...",
     "ends a process of any node, or a job of this shell; --job ends the cluster's, and waits until they have",
     {"sleep 100 & kill %1"}},
    {"jobs", "jobs", "what this shell runs in the background", {"sleep 1 & jobs"}},
    {"wait", "wait [%JOB...]", "waits for background jobs", {"sleep 1 & wait"}},
    {NULL, NULL, NULL, {NULL}}};

static const struct entry file_entries[] = {
    {"ls", "ls [-l] [FILE...]", "lists files", {"ls /", "ls -l /bin"}},
    {"cat", "cat [FILE...]", "shows files; with > it makes one, up to ^D", {"cat /etc/supervisor.conf"}},
    {"cp", "cp FILE... TO", "copies files", {"cp /etc/supervisor.conf /tmp/copy"}},
    {"mv", "mv FILE... TO", "renames or moves files", {"echo x > /tmp/a; mv /tmp/a /tmp/b"}},
    {"rm", "rm [-r] FILE...", "removes files", {"echo x > /tmp/a; rm /tmp/a"}},
    {"mkdir", "mkdir DIRECTORY...", "makes directories", {"mkdir /tmp/dir"}},
    {"edit", "edit FILE", "a small screen editor", {NULL}},
    {"echo", "echo [-n] WORD...", "shows its words", {"echo hello > /tmp/hello"}},
    {"wc", "wc [-lwc] [FILE...]", "counts lines, words and bytes", {"wc -l /etc/supervisor.conf"}},
    {"lua", "lua FILE [WORD...]", "runs a Lua script", {"lua /share/lua/words.lua"}},
    {"grep", "grep PATTERN [FILE...]", "shows lines that match", {"grep start /etc/supervisor.conf"}},
    {"head", "head [-n COUNT] [FILE...]", "shows the first lines", {"head -n 2 /etc/supervisor.conf"}},
    {"sort", "sort [FILE...]", "sorts lines", {"ls /bin | sort"}},
    {"hash", "hash [FILE...]", "SHA-256 of files", {"hash /etc/supervisor.conf"}},
    {"seq", "seq [FROM] TO", "counts", {"seq 3"}},
    {NULL, NULL, NULL, {NULL}}};

static const struct entry machine_entries[] = {
    {"status", "status", "what runs here, what is waited for", {"status"}},
    {"service",
     "service [stop NAME]",
     "servers and drivers, each with its process as `ps -a` shows it; a stopped one is started again by its policy",
     {"service"}},
    {"log", "log [PROCESS]", "the kernel's log, or its lines about one process", {"log"}},
    {"date", "date [+FORMAT]", "the time", {"date", "date +%s.%N"}},
    {"uname", "uname [-a|-s|-n|-r|-m]", "the system's name", {"uname -a"}},
    {"env", "env", "the environment", {"env"}},
    {"sleep", "sleep SECONDS", "waits", {"sleep 1"}},
    {"reboot", "reboot", "starts this machine again", {NULL}},
    {"poweroff", "poweroff", "switches this machine off", {NULL}},
    {NULL, NULL, NULL, {NULL}}};

static const struct entry shell_entries[] = {
    {"cd", "cd [DIRECTORY]", "changes the working directory", {"cd /tmp; pwd"}},
    {"pwd", "pwd", "shows the working directory", {"pwd"}},
    {"export", "export [NAME=VALUE...]", "sets variables for programs; alone: shows them", {"export COLOR=blue"}},
    {"unset", "unset NAME...", "removes variables", {"unset COLOR"}},
    {".", ". FILE", "runs a file's commands in this shell", {"echo 'echo hello' > /tmp/s; . /tmp/s"}},
    {"sh", "sh [-c COMMAND | FILE [WORD...]]", "another shell, for a command or a script", {"sh -c 'echo $1' word"}},
    {"exit", "exit [STATUS]", "leaves the shell", {NULL}},
    {"|", "A | B", "B reads what A writes", {"ls /bin | wc -l"}},
    {">",
     "A > FILE, A >> FILE, A < FILE, A 2> FILE, A 2>&1, A >&2",
     "output into a file, appended, input, errors; errors with the output, output as an error",
     {"date > /tmp/now; cat < /tmp/now", "cat /nope 2>&1 | wc -l"}},
    {"$",
     "$NAME, ${NAME}, $?, $$, $#, $1...",
     "a variable; the last status; this shell's process; a script's words and their number",
     {"A=blue; echo $A; false; echo $?"}},
    {"*",
     "*, ?, [ABC], 'WORD', \"WORD\"",
     "files that match; no matching, and in '' no variables either",
     {"ls /bin/l*"}},
    {"&",
     "A &, A ; B, A && B, A || B",
     "in the background; one after the other; if it worked; if not",
     {"true && echo yes || echo no"}},
    {"help", "help [COMMAND]", "this", {"help on"}},
    {NULL, NULL, NULL, {NULL}}};

static const struct entry *const groups[] = {cluster_entries, process_entries, file_entries, machine_entries,
                                             shell_entries};
#define GROUPS (sizeof groups / sizeof groups[0])

static void show_entry(const struct entry *e)
{
    printf("%s\n    %s\n", e->usage, e->text);
    for (int i = 0; i < 3 && e->examples[i]; i++)
        printf("    for example:  %s\n", e->examples[i]);
}

static void show_group(size_t g)
{
    printf("%s\n", group_names[g]);
    for (const struct entry *e = groups[g]; e->name; e++)
        printf("  %-46s %.*s\n", e->examples[0] ? e->examples[0] : e->usage, (int)strcspn(e->text, ";"), e->text);
}

static void show_examples(void)
{
    for (size_t g = 0; g < GROUPS; g++)
        for (const struct entry *e = groups[g]; e->name; e++)
            for (int i = 0; i < 3 && e->examples[i]; i++)
                puts(e->examples[i]);
}

int help_run(int argc, char **argv)
{
    if (argc > 2)
        return usage();
    if (argc == 2 && strcmp(argv[1], "--examples") == 0)
        return show_examples(), 0;
    for (size_t g = 0; argc == 2 && g < GROUPS; g++) {
        for (const struct entry *e = groups[g]; e->name; e++) {
            if (strcmp(e->name, argv[1]) == 0)
                return show_entry(e), 0;
        }
    }
    if (argc == 2)
        return fail("%s: nothing is known of it; `help` lists the commands", argv[1]);
    for (size_t g = 0; g < GROUPS; g++)
        show_group(g);
    printf("help COMMAND tells more. Keys: arrows, Tab completes, ^C ends a program, ^D ends input.\n");
    return 0;
}
