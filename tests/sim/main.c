/* simulate [OPTION]...        docs/005-consensus.md, docs/012-interfaces-for-tools.md
 *
 *     --seeds N --seed FIRST     that many, each in a process of its own; 1 and 1
 *     --jobs J --seconds V       side by side; virtual seconds of bad weather
 *     --stop --no-minimum        at the first failure; however quiet the weather was
 *     --nodes N --clients C --without FAULT,FAULT   of what the seeds draw, take only so much
 *     --trace                    tell what happens
 *     --trace-json FILE          the same for tools; of one seed
 *     --history FILE             what its clients saw
 *     --shrink SEED              find the smallest run of a failing seed that still fails so
 *
 * Exit status: 0; 127 a broken invariant of the core or a crash; 128 not live; 129 not correct: of the first seed that
 * failed; 1: all passed, and the weather was too quiet, or (1,000 seeds and more, of a minute each) the run slower than
 * 1,000 times real time on a core. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
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
                                                        "lonely leaders",
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
                                                        "failed reads",
                                                        "members moved",
                                                        "groups written",
                                                        "sectors damaged",
                                                        "misdirected groups",
                                                        "bad superblocks",
                                                        "damage found",
                                                        "logs repaired",
                                                        "answers lost",
                                                        "cas done",
                                                        "cas refused",
                                                        "locks at once",
                                                        "locks in line",
                                                        "locks given up",
                                                        "checker steps",
                                                        "undecided",
                                                        "machines joined",
                                                        "renewals",
                                                        "leases expired",
                                                        "leases lost",
                                                        "clients paused",
                                                        "clients cut off",
                                                        "clients anew",
                                                        "holders outlived",
                                                        "two sure holders",
                                                        "guarded writes",
                                                        "stale guards",
                                                        "txns held",
                                                        "txns not held",
                                                        "permits",
                                                        "barriers passed",
                                                        "elected",
                                                        "lock-delays",
                                                        "ephemeral ended",
                                                        "sequence keys",
                                                        "upgrades",
                                                        "levels",
                                                        "wishes",
                                                        "rule's changes",
                                                        "votes given back",
                                                        "dead in calm",
                                                        "states compared",
                                                        "majorities lost",
                                                        "recoveries judged"};

/* The kinds of weather that can be switched off. */
static const struct {
    const char *name;
    size_t at; /* in struct parameters: an uint32_t */
} faults[] = {{"loss", offsetof(struct parameters, loss)},
              {"duplication", offsetof(struct parameters, duplication)},
              {"slow", offsetof(struct parameters, slow_packet)},
              {"slow-chunk", offsetof(struct parameters, slow_chunk)},
              {"drift", offsetof(struct parameters, drift_ppm)},
              {"crash", offsetof(struct parameters, crash)},
              {"pause", offsetof(struct parameters, pause)},
              {"partition", offsetof(struct parameters, partition)},
              {"wipe", offsetof(struct parameters, wipe)},
              {"damage", offsetof(struct parameters, damage)},
              {"transfer", offsetof(struct parameters, transfer)},
              {"stall", offsetof(struct parameters, stall)},
              {"jump", offsetof(struct parameters, jump)},
              {"forget", offsetof(struct parameters, forget)},
              {"promise", offsetof(struct parameters, crash_after_promise)},
              {"split", offsetof(struct parameters, same_timeouts)},
              {"lonely", offsetof(struct parameters, lonely)},
              {"chance", offsetof(struct parameters, chance_timeouts)},
              {"torn", offsetof(struct parameters, torn)},
              {"clientloss", offsetof(struct parameters, client_loss)},
              {"member", offsetof(struct parameters, member)},
              {"clientpause", offsetof(struct parameters, client_pause)},
              {"clientsilence", offsetof(struct parameters, client_silence)},
              {"clientcrash", offsetof(struct parameters, client_crash)},
              {"clientjump", offsetof(struct parameters, client_jump)},
              {"clientdrift", offsetof(struct parameters, client_drift_ppm)},
              {"txns", offsetof(struct parameters, txn_share)},
              {"sessions", offsetof(struct parameters, session_share)},
              {"locks", offsetof(struct parameters, lock_share)},
              {"registers", offsetof(struct parameters, register_share)}};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

/* What is taken of what a seed draws; 0: all. */
struct limits {
    uint64_t seconds;
    uint32_t nodes, clients;
    bool without[FAULTS], without_noise;
};

struct options {
    uint64_t first, seeds;
    struct limits limits;
    uint32_t jobs;
    bool trace, stop, minimum, shrink, quiet;
    const char *trace_json, *history;
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

static const struct limits *now_running;

void limit_parameters(struct parameters *p)
{
    const struct limits *l = now_running;
    if (l->nodes > 0 && l->nodes < p->nodes)
        p->nodes = l->nodes;
    if (l->clients > 0 && l->clients < p->clients)
        p->clients = l->clients;
    for (size_t i = 0; i < FAULTS; i++)
        if (l->without[i])
            *(uint32_t *)(void *)((char *)p + faults[i].at) = 0;
    if (l->without_noise)
        p->noise_every_ns = 0;
}

static void run_seed(uint64_t seed, const struct options *o)
{
    memset(&w, 0, sizeof(w));
    w.seed = seed;
    w.trace = o->trace;
    w.p.safety_ns = o->limits.seconds * SECOND;
    now_running = &o->limits;
    if (o->trace_json != NULL)
        trace_json_open(o->trace_json);
    if (o->history != NULL)
        history_open(o->history);
    world_run();
    trace_json_close();
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
        if (o->quiet && freopen("/dev/null", "w", stderr) == NULL)
            _exit(2);
        run_seed(seed, o);
        fflush(stdout);
        if (write(ends[1], &w.s, sizeof(w.s)) != sizeof(w.s))
            _exit(2);
        exit(EXIT_PASSED); /* not _exit: what is built to count coverage writes its counts down */
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

static uint64_t exceeds(const char *what, uint64_t seen, uint64_t most)
{
    if (seen > most)
        printf("FAILED: %llu %s, at most %llu are to be expected\n", (unsigned long long)seen, what,
               (unsigned long long)most);
    return seen > most;
}

/* A batch that saw no faults proves nothing: so much must have happened in 1,000 seeds, and in fewer accordingly. */
static uint64_t count_missing(const struct batch *batch)
{
    const struct statistics *s = &batch->sum;
    const struct {
        const char *what;
        uint64_t seen, least; /* least: of 1,000 seeds */
    } least[] = {{"elections", s->elections, 4000},
                 {"commits", s->commits, 200000},
                 {"snapshots taken", s->snapshots_taken, 10000},
                 {"snapshots installed", s->snapshots_installed, 1000},
                 {"configurations", s->conf_changes, 1500},
                 {"members moved", s->members_moved, 300},
                 {"hand-overs", s->transfers, 1000},
                 {"packets lost", s->lost, 100000},
                 {"duplicates", s->duplicated, 100000},
                 {"cut packets", s->cut, 50000},
                 {"damaged packets", s->malformed, 10000},
                 {"entries of no use", s->noise, 100000},
                 {"split votes", s->split_votes, 2000},
                 {"leaders cut off when elected", s->lonely, 2000},
                 {"crashes", s->crashes, 5000},
                 {"torn writes", s->torn_writes, 1000},
                 {"pauses", s->pauses, 2000},
                 {"partitions", s->partitions, 3000},
                 {"lost disks", s->wipes, 200},
                 {"stalls", s->stalls, 1500},
                 {"clock jumps", s->jumps, 1500},
                 {"truncations", s->truncations, 500},
                 {"damaged sectors", s->damages, 50},
                 {"misdirected groups", s->misdirected, 40},
                 {"bad superblocks", s->bad_superblocks, 20},
                 {"damage found", s->damage_found, 60},
                 {"logs repaired", s->repaired, 50},
                 {"reads", s->reads, 50000},
                 {"retries", s->retries, 100000},
                 {"answers lost", s->answers_lost, 2000},
                 {"cas done", s->cas_done, 4000},
                 {"cas refused", s->cas_failed, 4000},
                 {"locks at once", s->grants, 5000},
                 {"locks in line", s->grants_in_line, 4000},
                 {"locks given up", s->given_up, 4000},
                 {"machines joined", s->joins, 10000},
                 {"renewals", s->renewals, 15000},
                 {"leases that expired", s->expiries, 400},
                 {"leases that their holders learn are lost", s->leases_lost, 60},
                 {"clients that paused", s->client_pauses, 4000},
                 {"clients cut off", s->client_silences, 2000},
                 {"clients that began anew", s->client_crashes, 1500},
                 {"holders that outlived their lease", s->outlived, 10},
                 {"guarded writes", s->guarded, 4000},
                 {"writes of an old fence", s->stale_guards, 4000},
                 {"transactions that held", s->txns_held, 15000},
                 {"transactions that did not", s->txns_not, 8000},
                 {"permits", s->semaphores, 3000},
                 {"places at the barrier", s->barriers, 1500},
                 {"elected", s->elected, 2500},
                 {"lock-delays", s->delays, 80},
                 {"sessions' keys that went with them", s->ephemeral_ended, 500},
                 {"sequence keys", s->sequences, 1000},
                 {"nodes that got a newer build", s->upgrades, 300},
                 {"clusters that came to a newer level", s->levels, 50},
                 {"operators' wishes", s->wishes, 1000},
                 {"changes by the rule", s->rule_changes, 1200},
                 {"votes given back", s->votes_back, 100},
                 {"machines that died for good", s->dead_in_calm, 500},
                 {"states compared", s->hashes, 100000},
                 {"recoveries judged", s->recoveries, 50000}};
    uint64_t missing = 0;
    for (size_t i = 0; i < sizeof(least) / sizeof(least[0]); i++) {
        if (least[i].seen * 1000 >= least[i].least * batch->passed)
            continue;
        printf("FAILED: only %llu %s in %llu seeds\n", (unsigned long long)least[i].seen, least[i].what,
               (unsigned long long)batch->passed);
        missing++;
    }
    missing += exceeds("runs in which a majority was lost", s->majorities_lost, batch->passed / 50);
    missing += exceeds("times two were sure that they hold a lock", s->both_sure, batch->passed);
    if (s->undecided * 200 > batch->passed) {
        printf("FAILED: %llu histories are too long for the checker\n", (unsigned long long)s->undecided);
        missing++;
    }
    return missing;
}

static double seconds_of(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

#define LEAST_SPEED 1000.0 /* times real time, of processor time on one core: what else the host does is not in it */

/* -> times real time on one core */
static double print_batch(const struct batch *batch, double host_seconds)
{
    struct rusage used;
    for (size_t i = 1; i < STATISTICS; i++)
        printf("%-20s %12llu\n", statistic_names[i], (unsigned long long)((const uint64_t *)&batch->sum)[i]);
    double virtual_seconds = (double)batch->sum.virtual_ns / SECOND;
    getrusage(RUSAGE_CHILDREN, &used);
    double cpu_seconds = seconds_of(&used.ru_utime) + seconds_of(&used.ru_stime);
    printf("%-20s %12.0f   (%.0f times real time, %.0f times on one core, %.0f events/s on one core)\n",
           "virtual seconds", virtual_seconds, virtual_seconds / host_seconds, virtual_seconds / cpu_seconds,
           (double)batch->sum.events / cpu_seconds);
    return virtual_seconds / cpu_seconds;
}

/* Every seed that passed had its bad weather in full, and then the calm. */
static bool is_long_enough(const struct options *o, const struct batch *batch)
{
    return batch->sum.virtual_ns >= batch->passed * o->limits.seconds * SECOND;
}

static uint64_t number_after(int *at, int argc, char **argv)
{
    if (*at + 1 >= argc) {
        fprintf(stderr, "%s needs a number\n", argv[*at]);
        exit(2);
    }
    return strtoull(argv[++*at], NULL, 0);
}

static const char *text_after(int *at, int argc, char **argv)
{
    if (*at + 1 >= argc) {
        fprintf(stderr, "%s needs a name\n", argv[*at]);
        exit(2);
    }
    return argv[++*at];
}

static void parse_without(struct limits *l, const char *list)
{
    char copy[512], *rest = copy, *word;
    snprintf(copy, sizeof(copy), "%s", list);
    while ((word = strsep(&rest, ",")) != NULL) {
        size_t i = 0;
        while (i < FAULTS && strcmp(word, faults[i].name) != 0)
            i++;
        if (i < FAULTS) {
            l->without[i] = true;
        } else if (strcmp(word, "noise") == 0) {
            l->without_noise = true;
        } else {
            fprintf(stderr, "there is no fault %s\n", word);
            exit(2);
        }
    }
}

static bool parse_number(struct options *o, const char *word, int *at, int argc, char **argv)
{
    if (strcmp(word, "--seeds") == 0)
        o->seeds = number_after(at, argc, argv);
    else if (strcmp(word, "--seed") == 0 || strcmp(word, "--shrink") == 0)
        o->first = number_after(at, argc, argv);
    else if (strcmp(word, "--seconds") == 0)
        o->limits.seconds = number_after(at, argc, argv);
    else if (strcmp(word, "--nodes") == 0)
        o->limits.nodes = (uint32_t)number_after(at, argc, argv);
    else if (strcmp(word, "--clients") == 0)
        o->limits.clients = (uint32_t)number_after(at, argc, argv);
    else if (strcmp(word, "--jobs") == 0)
        o->jobs = (uint32_t)number_after(at, argc, argv);
    else
        return false;
    o->shrink |= strcmp(word, "--shrink") == 0;
    return true;
}

static bool parse_other(struct options *o, const char *word, int *at, int argc, char **argv)
{
    if (strcmp(word, "--trace") == 0)
        o->trace = true;
    else if (strcmp(word, "--stop") == 0)
        o->stop = true;
    else if (strcmp(word, "--no-minimum") == 0)
        o->minimum = false;
    else if (strcmp(word, "--trace-json") == 0)
        o->trace_json = text_after(at, argc, argv);
    else if (strcmp(word, "--history") == 0)
        o->history = text_after(at, argc, argv);
    else if (strcmp(word, "--without") == 0)
        parse_without(&o->limits, text_after(at, argc, argv));
    else
        return false;
    return true;
}

static struct options parse(int argc, char **argv)
{
    struct options o = {.first = 1,
                        .seeds = 1,
                        .limits = {.seconds = 60},
                        .jobs = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN),
                        .minimum = true};
    for (int i = 1; i < argc; i++)
        if (!parse_number(&o, argv[i], &i, argc, argv) && !parse_other(&o, argv[i], &i, argc, argv)) {
            fprintf(stderr, "simulate: what is %s? The options stand at the head of tests/sim/main.c\n", argv[i]);
            exit(2);
        }
    if (o.jobs < 1 || o.jobs > JOBS_AT_MOST)
        o.jobs = 1;
    if ((o.trace_json != NULL || o.history != NULL) && o.seeds != 1) {
        fprintf(stderr, "simulate: a trace or a history is of one seed\n");
        exit(2);
    }
    return o;
}

/* ---- shrinking ---- */

static int status_of(const struct options *o, const struct limits *limits)
{
    struct options one = *o;
    one.limits = *limits;
    one.quiet = true;
    int status;
    struct worker worker = begin(o->first, &one);
    while (waitpid(worker.pid, &status, 0) < 0 && errno == EINTR)
        ;
    return end(&worker, status).status;
}

/* Keeps a smaller run if it fails in the same way. */
static bool try_smaller(const struct options *o, struct limits *best, const struct limits *smaller, int wanted)
{
    if (status_of(o, smaller) != wanted)
        return false;
    *best = *smaller;
    return true;
}

static bool shrink_once(const struct options *o, struct limits *best, int wanted)
{
    bool shrunk = false;
    struct limits l = *best;
    for (l.nodes = 3; l.nodes < best->nodes && !shrunk; l.nodes++)
        shrunk = try_smaller(o, best, &l, wanted);
    for (l = *best, l.clients = 1; l.clients < best->clients && !shrunk; l.clients++)
        shrunk |= try_smaller(o, best, &l, wanted);
    for (l = *best, l.seconds = best->seconds / 2; l.seconds > 0 && l.seconds < best->seconds;
         l.seconds = best->seconds / 2)
        if (!try_smaller(o, best, &l, wanted))
            break;
        else
            shrunk = true;
    for (size_t i = 0; i < FAULTS; i++) {
        l = *best;
        l.without[i] = true;
        shrunk |= !best->without[i] && try_smaller(o, best, &l, wanted);
    }
    l = *best;
    l.without_noise = true;
    return shrunk | (!best->without_noise && try_smaller(o, best, &l, wanted));
}

static void print_limits(const struct options *o, const struct limits *l)
{
    const char *before = " --without ";
    printf("simulate --seed %llu --nodes %u --clients %u --seconds %llu", (unsigned long long)o->first, l->nodes,
           l->clients, (unsigned long long)l->seconds);
    for (size_t i = 0; i < FAULTS; i++) {
        if (!l->without[i])
            continue;
        printf("%s%s", before, faults[i].name);
        before = ",";
    }
    printf("%s\n", l->without_noise ? *before == ',' ? ",noise" : " --without noise" : "");
}

static int shrink(const struct options *o)
{
    struct limits best = o->limits;
    best.nodes = best.nodes ? best.nodes : NODES_AT_MOST;
    best.clients = best.clients ? best.clients : CLIENTS_AT_MOST;
    int wanted = status_of(o, &best);
    if (wanted == EXIT_PASSED) {
        printf("seed %llu does not fail\n", (unsigned long long)o->first);
        return 0;
    }
    while (shrink_once(o, &best, wanted))
        ;
    printf("the smallest run of seed %llu that fails with status %d:\n", (unsigned long long)o->first, wanted);
    print_limits(o, &best);
    fflush(stdout);
    struct options last = *o;
    last.limits = best;
    run_seed(o->first, &last); /* says once more what is wrong, and ends */
    return wanted;
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    if (o.shrink)
        return shrink(&o);
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    struct batch batch = run_batch(&o);
    clock_gettime(CLOCK_MONOTONIC, &to);
    double speed = print_batch(&batch, (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    if (o.minimum && o.seeds >= 200)
        batch.failed += count_missing(&batch);
    if (!is_long_enough(&o, &batch)) {
        printf("FAILED: the seeds were shorter than %llu s\n", (unsigned long long)o.limits.seconds);
        batch.failed++;
    }
    if (o.minimum && o.seeds >= 1000 && o.limits.seconds >= 60 && speed < LEAST_SPEED) {
        printf("FAILED: %.0f times real time on one core, %.0f are promised\n", speed, LEAST_SPEED);
        batch.failed++;
    }
    printf("seeds %llu..%llu\n%llu passed, %llu failed\n", (unsigned long long)o.first,
           (unsigned long long)(o.first + o.seeds - 1), (unsigned long long)batch.passed,
           (unsigned long long)batch.failed);
    return batch.first_failure != 0 ? batch.first_failure : batch.failed > 0;
}
