/* load NAME SEED: clients that work on the cluster without pause, and tell on standard output what they did and saw, an
 * event a line, in the form of docs/012-interfaces-for-tools.md with this machine's clock in "at". What they do is told
 * by lines on standard input:
 *
 *   mark NUMBER GENERATION   "mark" is answered with a line and the moment it was taken; from now on they work on the
 * keys of that generation. Before the first one they wait. stop                     each finishes what it has begun
 *
 * load NAME SEED locks       the clients of locks alone. The first form starts this one by itself: whoever holds a lock
 * is frozen when its node's lease is unsure, and the others shall go on. load NAME 0 final G        reads all keys of
 * the generations 1 to G, after a mark.
 */
#include "load.h"

#include <os/startup.h>
#include <os/sync.h>
#include <os/syscall.h>
#include <os/thread.h>

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define CLIENTS_MAX 9u
#define STACK_BYTES 65536u

struct load load;
static FILE *to_locks; /* the standard input of the process with the clients of locks; NULL: there is none */
static bool marks_are_told = true;

/* ---- what is said to them ---- */

static void take_mark(unsigned number, unsigned generation)
{
    unsigned long long now = os_clock(CLOCK_ID_MONOTONIC_NS);
    if (marks_are_told)
        say("{\"t\":\"mark\",\"m\":%u,\"at\":%llu}", number, now);
    load.generation = generation;
}

static void take_line(const char *line)
{
    unsigned number, generation;
    if (sscanf(line, "mark %u %u", &number, &generation) == 2)
        take_mark(number, generation);
    else if (strncmp(line, "stop", 4) == 0)
        load.ending = true;
    if (to_locks) {
        fputs(line, to_locks);
        fflush(to_locks);
    }
}

static void listener(void *argument)
{
    char line[80];
    while (!load.ending && fgets(line, sizeof line, stdin))
        take_line(line);
    load.ending = true;
}

/* ---- the process with the clients of locks ---- */

static void carry(void *argument)
{
    char line[1024];
    FILE *from = argument;
    while (fgets(line, sizeof line, from))
        say("%.*s", (int)strcspn(line, "\n"), line);
}

static bool start_locks(const char *seed, FILE **from_out)
{
    char *arguments[] = {"load", (char *)load.name, (char *)seed, "locks", NULL};
    int in[2], out[2];
    pid_t pid;
    posix_spawn_file_actions_t actions;
    if (pipe(in) || pipe(out))
        return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    for (int i = 0; i < 2; i++) {
        posix_spawn_file_actions_addclose(&actions, in[i]);
        posix_spawn_file_actions_addclose(&actions, out[i]);
    }
    int error = posix_spawn(&pid, "/bin/load", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    if (error)
        return false;
    to_locks = fdopen(in[1], "w");
    *from_out = fdopen(out[0], "r");
    return to_locks && *from_out;
}

/* ---- clients ---- */

static struct client clients[CLIENTS_MAX];
static struct os_thread *threads[CLIENTS_MAX];
static uint32_t client_count;

static void start_client(const char *suffix, void (*run)(void *), uint64_t seed)
{
    struct client *c = &clients[client_count];
    client_init(c, suffix, seed);
    if (os_thread_create(run, c, STACK_BYTES, 0, &threads[client_count]) != E_OK) {
        say("{\"t\":\"wrong\",\"words\":\"no thread for %s\"}", c->name);
        exit(1);
    }
    client_count++;
}

static void join_clients(void)
{
    for (uint32_t i = 0; i < client_count; i++)
        (void)os_thread_join(threads[i], DEADLINE_NEVER);
}

static int run_all(const char *seed_text)
{
    uint64_t seed = strtoull(seed_text, NULL, 10);
    struct os_thread *carrier, *hearer;
    FILE *from;
    if (!start_locks(seed_text, &from) || os_thread_create(carry, from, 0, 0, &carrier) != E_OK) {
        say("{\"t\":\"wrong\",\"words\":\"the clients of locks cannot be started\"}");
        return 1;
    }
    start_client("r1", registers_run, seed);
    start_client("r2", registers_run, seed);
    start_client("r3", reader_run, seed);
    start_client("q1", queues_run, seed);
    start_client("b1", bank_run, seed);
    start_client("b2", bank_run, seed);
    start_client("t1", tasks_run, seed);
    start_client("s1", numbers_run, seed);
    start_client("w", watch_run, seed);
    if (os_thread_create(listener, NULL, 0, 0, &hearer) != E_OK)
        return 1;
    join_clients();
    fclose(to_locks); /* it ends when nothing more can be said to it */
    (void)os_thread_join(carrier, DEADLINE_NEVER);
    say("{\"t\":\"finished\"}");
    return 0;
}

static int run_locks(const char *seed_text)
{
    struct os_thread *hearer;
    uint64_t seed = strtoull(seed_text, NULL, 10);
    marks_are_told = false;
    if (os_thread_create(listener, NULL, 0, 0, &hearer) != E_OK)
        return 1;
    start_client("l1", locks_run, seed);
    start_client("l2", locks_run, seed);
    join_clients();
    return 0;
}

static int run_final(const char *generations)
{
    struct os_thread *hearer;
    struct client c = {.operation = 0};
    client_init(&c, "final", 0);
    if (os_thread_create(listener, NULL, 0, 0, &hearer) != E_OK || !client_goes_on(&c, 0))
        return 1;
    final_run(&c, (uint32_t)strtoul(generations, NULL, 10));
    return 0;
}

static void hush_terminal(void)
{
    struct termios t;
    if (tcgetattr(0, &t))
        return;
    t.c_lflag &= ~(tcflag_t)ECHO;
    (void)tcsetattr(0, TCSANOW, &t);
}

int main(int argc, char **argv)
{
    const char *role = argc > 3 ? argv[3] : "";
    if (argc < 3 || strlen(argv[1]) > 20) {
        fprintf(stderr, "usage: load NAME SEED [locks | final GENERATIONS]\n");
        return 2;
    }
    load.cluster = os_startup_handle(STARTUP_CLUSTER);
    load.name = argv[1];
    if (strcmp(role, "locks") == 0)
        return run_locks(argv[2]);
    hush_terminal();
    if (strcmp(role, "final") == 0 && argc == 5)
        return run_final(argv[4]);
    return run_all(argv[2]);
}
