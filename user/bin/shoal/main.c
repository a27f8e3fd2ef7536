#include "shoal.h"

#include <os/log.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    command_run *run;
    const char *usage;
} commands[] = {
    {"help", help_run, "help [COMMAND]"},
    {"nodes", nodes_run, "nodes [add|undrain|promote|demote|drain|remove NODE]"},
    {"status", status_run, "status"},
    {"raft", raft_run, "raft [transfer NODE | recover | wipe] [--yes-lose-data CLUSTER]"},
    {"key", key_run, "key [rotate | leaked | enter | drop | cancel | show]"},
    {"ps", ps_run, "ps [-a]"},
    {"kill", kill_run, "kill [-SIGNAL] NODE.PROCESS..., or kill --job JOB..."},
    {"top", top_run, "top"},
    {"on", on_run, "on NODE PROGRAM [WORD...]"},
    {"run", run_run, "run [-n COUNT | --job] PROGRAM [WORD...]"},
    {"allow", allow_run, "allow [--under PREFIX] [CLASS...] -- PROGRAM [WORD...], or allow"},
    {"lock", lock_run,
     "lock [--shared] [--try] [--wait SECONDS] [--delay SECONDS] NAME -- PROGRAM [WORD...], or lock --list|--waits"},
    {"sem", sem_run, "sem NAME PERMITS -- PROGRAM [WORD...]"},
    {"barrier", barrier_run, "barrier NAME COUNT"},
    {"elect", elect_run, "elect NAME VALUE -- PROGRAM [WORD...], or elect NAME"},
    {"txn", txn_run, "txn [if COMPARISON [and ...]] then CHANGE [and ...] [else CHANGE [and ...]]"},
    {"watch", watch_run, "watch [--elections] [--from REVISION] [--count COUNT] [PREFIX]"},
    {"put", put_run, "put [--sequence] KEY VALUE, or put --ephemeral [--sequence] KEY VALUE -- PROGRAM [WORD...]"},
    {"get", get_run, "get KEY"},
    {"del", del_run, "del KEY"},
    {"keys", keys_run, "keys [PREFIX]"},
    {"log", log_run, "log [PROCESS]"},
    {"service", service_run, "service [stop NAME]"},
    {"reboot", reboot_run, "reboot"},
    {"poweroff", poweroff_run, "poweroff"},
    {"uname", uname_run, "uname [-a|-s|-n|-r|-m]"},
    {"hash", hash_run, "hash [FILE...]"},
    {"placements", jobs_run, "placements"},
};

static size_t current;

const char *command_name(void)
{
    return commands[current].name;
}

int fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fprintf(stderr, "%s: ", command_name());
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return 1;
}

int usage(void)
{
    fprintf(stderr, "%s: %sexpected: %s\n", command_name(), parse_number_fault(), commands[current].usage);
    return 2;
}

const char *words_for(err_t err)
{
    static char text[240];
    struct cluster_status status;
    if (err != E_NOT_DELIVERED || !cluster_status_read(&status) ||
        (status.state == CLUSTER_MEMBER && !status.waiting[0]))
        return os_error_text(err);
    snprintf(text, sizeof text, "the cluster is not ready: %s",
             status.waiting[0] ? status.waiting : "this node is alone");
    return text;
}

int main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "";
    for (current = 0; current < sizeof commands / sizeof commands[0]; current++) {
        if (strcmp(commands[current].name, name) != 0)
            continue;
        int status = commands[current].run(argc, argv);
        return fflush(stdout) == 0 ? status : 1;
    }
    fprintf(stderr, "shoal: '%s' is none of its commands; `help` lists them\n", name);
    return 2;
}
