/* simulate [--seeds N] [--seed S] [--first S] [--seconds V] [--jobs J] [--trace] [--stop] [--no-minimum]
 *
 * Runs N seeds, each in a process of its own. Exit status: 0; 127 a broken invariant of the core or a crash; 128 not
 * live; 129 not correct: of the first seed that failed. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"

static const char *const statistic_names[STATISTICS] = {"virtual ns",
                                                        "events",
                                                        "elections",
                                                        "leaders",
                                                        "commits",
                                                        "snapshots taken",
                                                        "snapshots installed",
                                                        "configurations",
                                                        "transfers",
                                                        "packets",
                                                        "lost",
                                                        "duplicated",
                                                        "cut off",
                                                        "malformed",
                                                        "noise",
                                                        "split votes",
                                                        "crashes",
                                                        "torn writes",
                                                        "pauses",
                                                        "partitions",
                                                        "disks lost",
                                                        "disk stalls",
                                                        "clock jumps",
                                                        "truncations",
                                                        "operations",
                                                        "reads",
                                                        "retries",
                                                        "failed reads"};

struct options {
    uint64_t first, seeds, seconds;
    uint32_t jobs;
    bool trace, stop, minimum;
};

struct worker {
    pid_t pid;
    int pipe;
    uint64_t seed;
};
#define JOBS_AT_MOST 64u

struct result {
    int status;
    bool signalled;
    struct statistics s;
};

static void run_seed(uint64_t seed, const struct options *o)
{
    memset(&w, 0, sizeof(w));
    w.seed = seed;
    w.trace = o->trace;
    w.p.safety_ns = o->seconds * SECOND;
    world_run();
}

static struct worker begin(uint64_t seed, const struct options *o)
{
    int ends[2];
    if (pipe(ends) != 0) {
        perror("pipe");
        exit(2);
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(600); /* a hang, not a measure */
        run_seed(seed, o);
        fflush(stdout);
        if (write(ends[1], &w.s, sizeof(w.s)) != sizeof(w.s))
            _exit(2);
        _exit(EXIT_PASSED);
    }
    close(ends[1]);
    return (struct worker){.pid = pid, .pipe = ends[0], .seed = seed};
}

static struct result end(struct worker *worker, int status)
{
    struct result result = {.status = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_CRASH,
                            .signalled = WIFSIGNALED(status)};
    if (result.status == EXIT_PASSED && read(worker->pipe, &result.s, sizeof(result.s)) != sizeof(result.s))
        result.status = EXIT_CRASH;
    close(worker->pipe);
    worker->pid = 0;
    return result;
}

/* ---- a batch ---- */

struct batch {
    uint64_t passed, failed;
    int first_failure;
    struct statistics sum;
};

static void take_result(struct batch *batch, uint64_t seed, const struct result *result)
{
    if (result->status == EXIT_PASSED) {
        batch->passed++;
        for (size_t i = 0; i < STATISTICS; i++)
            ((uint64_t *)&batch->sum)[i] += ((const uint64_t *)&result->s)[i];
        return;
    }
    batch->failed++;
    if (batch->first_failure == 0)
        batch->first_failure = result->status;
    printf("FAILED seed %llu: %s (status %d)%s; see it with --seed %llu --trace\n", (unsigned long long)seed,
           result->status == EXIT_LIVENESS      ? "not live"
           : result->status == EXIT_CORRECTNESS ? "not correct"
                                                : "crash",
           result->status, result->signalled ? " by a signal" : "", (unsigned long long)seed);
    fflush(stdout);
}

static void wait_for_one(struct worker *workers, uint32_t jobs, struct batch *batch)
{
    int status;
    pid_t pid;
    do
        pid = wait(&status);
    while (pid < 0 && errno == EINTR);
    for (uint32_t i = 0; i < jobs; i++) {
        if (workers[i].pid != pid)
            continue;
        uint64_t seed = workers[i].seed;
        struct result result = end(&workers[i], status);
        take_result(batch, seed, &result);
    }
}

static struct batch run_batch(const struct options *o)
{
    struct worker workers[JOBS_AT_MOST] = {{0}};
    struct batch batch = {.passed = 0};
    uint64_t next = 0;
    uint32_t running = 0;
    while (next < o->seeds || running > 0) {
        bool full = running == o->jobs || next == o->seeds || (o->stop && batch.failed > 0);
        if (full && running == 0)
            break;
        if (full) {
            wait_for_one(workers, o->jobs, &batch);
            running--;
            continue;
        }
        for (uint32_t i = 0; i < o->jobs; i++)
            if (workers[i].pid == 0) {
                workers[i] = begin(o->first + next++, o);
                break;
            }
        running++;
    }
    return batch;
}

/* A batch that saw no faults proves nothing. */
static uint64_t count_missing(const struct batch *batch)
{
    const struct statistics *s = &batch->sum;
    const struct {
        const char *what;
        uint64_t seen, least;
    } least[] = {{"elections", s->elections, 4},
                 {"commits", s->commits, 200},
                 {"snapshots taken", s->snapshots_taken, 1},
                 {"snapshots installed", s->snapshots_installed, 1},
                 {"packets lost", s->lost, 100},
                 {"duplicates", s->duplicated, 100},
                 {"cut packets", s->cut, 50},
                 {"crashes", s->crashes, 3},
                 {"torn writes", s->torn_writes, 1},
                 {"pauses", s->pauses, 2},
                 {"partitions", s->partitions, 2},
                 {"reads", s->reads, 50},
                 {"retries", s->retries, 10}};
    uint64_t missing = 0;
    for (size_t i = 0; i < sizeof(least) / sizeof(least[0]); i++) {
        if (least[i].seen >= least[i].least * batch->passed)
            continue;
        printf("FAILED: only %llu %s in %llu seeds\n", (unsigned long long)least[i].seen, least[i].what,
               (unsigned long long)batch->passed);
        missing++;
    }
    if (batch->passed >= 100 && (s->wipes < batch->passed / 4 || s->conf_changes < batch->passed)) {
        printf("FAILED: too few lost disks or changes of the configuration\n");
        missing++;
    }
    return missing;
}

static void print_batch(const struct batch *batch, double host_seconds)
{
    for (size_t i = 1; i < STATISTICS; i++)
        printf("%-20s %12llu\n", statistic_names[i], (unsigned long long)((const uint64_t *)&batch->sum)[i]);
    double virtual_seconds = (double)batch->sum.virtual_ns / SECOND;
    printf("%-20s %12.0f   (%.0f times real time)\n", "virtual seconds", virtual_seconds,
           host_seconds > 0 ? virtual_seconds / host_seconds : 0.0);
}

static uint64_t number_after(int *at, int argc, char **argv)
{
    if (*at + 1 >= argc) {
        fprintf(stderr, "%s needs a number\n", argv[*at]);
        exit(2);
    }
    return strtoull(argv[++*at], NULL, 0);
}

static struct options parse(int argc, char **argv)
{
    struct options o = {
        .first = 1, .seeds = 1, .seconds = 60, .jobs = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN), .minimum = true};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seeds") == 0)
            o.seeds = number_after(&i, argc, argv);
        else if (strcmp(argv[i], "--seed") == 0)
            o.first = number_after(&i, argc, argv);
        else if (strcmp(argv[i], "--seconds") == 0)
            o.seconds = number_after(&i, argc, argv);
        else if (strcmp(argv[i], "--jobs") == 0)
            o.jobs = (uint32_t)number_after(&i, argc, argv);
        else if (strcmp(argv[i], "--trace") == 0)
            o.trace = true;
        else if (strcmp(argv[i], "--stop") == 0)
            o.stop = true;
        else if (strcmp(argv[i], "--no-minimum") == 0)
            o.minimum = false;
        else {
            fprintf(stderr, "simulate [--seeds N] [--seed FIRST] [--seconds VIRTUAL] [--jobs J] [--trace] [--stop]\n");
            exit(2);
        }
    }
    if (o.jobs < 1 || o.jobs > JOBS_AT_MOST)
        o.jobs = 1;
    return o;
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    struct batch batch = run_batch(&o);
    clock_gettime(CLOCK_MONOTONIC, &to);
    print_batch(&batch, (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    if (o.minimum && o.seeds >= 20)
        batch.failed += count_missing(&batch);
    printf("seeds %llu..%llu\n%llu passed, %llu failed\n", (unsigned long long)o.first,
           (unsigned long long)(o.first + o.seeds - 1), (unsigned long long)batch.passed,
           (unsigned long long)batch.failed);
    return batch.first_failure != 0 ? batch.first_failure : batch.failed > 0;
}
