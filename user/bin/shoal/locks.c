/* Locks, semaphores, elections and barriers: holding one while a program runs. */
#include "shoal.h"

#include <os/service.h>
#include <os/syscall.h>
#include <shoal/barrier.h>
#include <shoal/election.h>
#include <shoal/lock.h>
#include <shoal/semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A call that its deadline ended may have run: the lock that it might have got is let go of by the kernel. */
static int tell_lock(const char *name, err_t err)
{
    return fail("%s: %s", name,
                err == E_TIMED_OUT    ? "not free in that time"
                : err == E_BUSY       ? "held by another"
                : err == E_WRONG_TYPE ? "the name is in use for another kind of lock"
                : err == E_CONFLICT   ? "the others use another number"
                : err == E_FULL       ? "no room: the cluster has all the locks it can, or too many with a delay"
                                      : words_for(err));
}

static int run_under(struct shoal_hold *hold, char **words)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)hold->fence);
    setenv("FENCE", text, 1);
    int status = run_here(words, hold->handle);
    err_t err = shoal_release(hold, shoal_in_ms(30000));
    if (err && err != E_NOT_FOUND)
        fail("%s: not released in order: %s", hold->name, words_for(err));
    return status;
}

/* ---- lock ---- */

struct wanted {
    struct shoal_lock_options options;
    uint64_t wait_seconds; /* 0: for ever */
    const char *name;
    char **program;
};

static bool parse_lock(int argc, char **argv, struct wanted *w)
{
    uint64_t seconds;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--shared") == 0)
            w->options.shared = true;
        else if (strcmp(argv[i], "--try") == 0)
            w->options.try_only = true;
        else if (strcmp(argv[i], "--wait") == 0 && i + 1 < argc && parse_number(argv[i + 1], 1, 86400, &seconds))
            w->wait_seconds = seconds, i++;
        else if (strcmp(argv[i], "--delay") == 0 && i + 1 < argc &&
                 parse_number(argv[i + 1], 0, SHOAL_LOCK_DELAY_MAX_MS / 1000, &seconds))
            w->options.delay_ms = seconds * 1000, i++;
        else
            return false;
    }
    w->name = argv[i];
    w->program = argv + i + 2;
    return i + 2 < argc && strcmp(argv[i + 1], "--") == 0;
}

int lock_run(int argc, char **argv)
{
    struct wanted wanted = {0};
    struct shoal_hold hold;
    handle_t cluster = cluster_handle();
    if (!cluster)
        return 1;
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list_locks(cluster);
    if (argc == 2 && strcmp(argv[1], "--waits") == 0)
        return list_waits(cluster);
    if (!parse_lock(argc, argv, &wanted))
        return usage();
    uint64_t deadline = wanted.wait_seconds ? shoal_in_ms(wanted.wait_seconds * 1000) : SHOAL_NEVER;
    err_t err = shoal_lock(cluster, deadline, wanted.name, &wanted.options, &hold);
    return err ? tell_lock(wanted.name, err) : run_under(&hold, wanted.program);
}

/* ---- semaphores, barriers, elections ---- */

int sem_run(int argc, char **argv)
{
    struct shoal_hold hold;
    uint64_t permits;
    handle_t cluster = cluster_handle();
    if (!cluster)
        return 1;
    if (argc < 5 || !parse_number(argv[2], 1, SHOAL_PERMITS_MAX, &permits) || strcmp(argv[3], "--") != 0)
        return usage();
    err_t err = shoal_semaphore(cluster, SHOAL_NEVER, argv[1], (uint32_t)permits, &hold);
    return err ? tell_lock(argv[1], err) : run_under(&hold, argv + 4);
}

int barrier_run(int argc, char **argv)
{
    uint64_t parties;
    handle_t cluster = cluster_handle();
    if (!cluster)
        return 1;
    if (argc != 3 || !parse_number(argv[2], 1, SHOAL_PARTIES_MAX, &parties))
        return usage();
    err_t err = shoal_barrier(cluster, SHOAL_NEVER, argv[1], (uint32_t)parties);
    return err ? tell_lock(argv[1], err) : 0;
}

static int show_elected(handle_t cluster, const char *name)
{
    struct shoal_elected e;
    err_t err = shoal_elected(cluster, shoal_in_ms(30000), name, &e);
    if (err)
        return fail("%s: %s", name, err == E_NOT_FOUND ? "nobody is elected" : words_for(err));
    printf("%s (%s, fence %llu)\n", e.value, holder_text(e.process_id), (unsigned long long)e.fence);
    return 0;
}

int elect_run(int argc, char **argv)
{
    struct shoal_hold hold;
    handle_t cluster = cluster_handle();
    if (!cluster)
        return 1;
    if (argc == 2)
        return show_elected(cluster, argv[1]);
    if (argc < 5 || strcmp(argv[3], "--") != 0)
        return usage();
    err_t err = shoal_elect(cluster, SHOAL_NEVER, argv[1], argv[2], strlen(argv[2]), &hold);
    return err ? tell_lock(argv[1], err) : run_under(&hold, argv + 4);
}
