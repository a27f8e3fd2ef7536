/* The membership layer simulated: how soon a failure is known, how often the living are taken for dead, what it costs,
 * how joins and healed partitions converge. One line a scenario and seed, or one JSON object in all.
 *
 *     member [--nodes N] [--seeds N] [--seed FIRST] [--probe MS] [--patient] [--only NAME] [--seconds S] [--crashes N]
 *            [--brief] [--json] [--trace]
 *
 * --patient: timers as others have them (four instead of three probe periods times log10 of the members).
 * --brief: all but the failures with a fifth of the nodes.
 * Exit: 0 all as promised; 4 something never came to be known or did not converge; 3 another promise is broken. */
#include <math.h>
#include <time.h>

#include "world.h"

struct options {
    uint32_t nodes, crashes, seconds;
    uint64_t seeds, seed, probe_ms;
    const char *only;
    bool patient, brief, json, trace;
};

struct figures { /* over all seeds */
    double *known, *returned;
    uint32_t known_count, room;
    double calm_packets, calm_bytes, calm_most;
    uint64_t false_dead, stalled_dead, woken_dead, suspicions, stalls, stress_most;
    double node_hours, stress_bytes, joined_s, healed_s;
    uint64_t join_most, flaps, heal_most;
    uint32_t unfinished, runs;
    size_t bytes_each;
    double virtual_s, real_s;
};

static bool known_dead(struct world *w, uint32_t node)
{
    return w->dead_at[node] == w->running;
}

/* Every running node knows all running ones. */
static bool all_present(struct world *w, uint32_t unused)
{
    (void)unused;
    return w->pairs == (int64_t)w->running * (w->running - 1);
}

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static struct world *begin(const struct options *o, uint32_t nodes, uint32_t more, uint64_t seed, uint32_t loss)
{
    struct world *w = world_make(nodes + more, o->probe_ms * MS, o->patient, seed);
    w->loss_thousandths = loss;
    world_settled(w, nodes);
    w->trace = o->trace;
    return w;
}

static void end(struct world *w, struct figures *f)
{
    f->virtual_s += seconds(w->now_ns) - 1000;
    f->bytes_each = member_bytes(&w->config) / w->config.capacity;
    world_free(w);
}

/* ---- nothing happens ---- */

static void calm(const struct options *o, uint64_t seed, struct figures *f)
{
    struct world *w = begin(o, o->nodes, 0, seed, 0);
    uint32_t span = o->seconds < 30 ? o->seconds : 30;
    world_run(w, w->now_ns + span * SECOND);
    double node_seconds = (double)o->nodes * span;
    f->calm_packets += (double)w->tally.packets / node_seconds;
    f->calm_bytes += (double)w->tally.bytes / node_seconds;
    if ((double)w->tally.most_bytes_a_second > f->calm_most)
        f->calm_most = (double)w->tally.most_bytes_a_second;
    f->false_dead += w->tally.dead_all;
    end(w, f);
}

/* ---- one fails, and comes back with a new boot ---- */

static void crash_and_return(struct world *w, struct figures *f)
{
    uint32_t node = (uint32_t)world_random(w, w->count);
    uint64_t at_ns = w->now_ns;
    world_crash(w, node);
    if (!world_until(w, known_dead, node, 300 * SECOND)) {
        f->unfinished++;
        return;
    }
    f->known[f->known_count] = seconds(w->now_ns - at_ns);
    at_ns = w->now_ns;
    world_boot(w, node);
    for (uint32_t i = 0; i < SEEDS_OF_ONE; i++) {
        uint32_t to = (uint32_t)world_random(w, w->count);
        world_introduce(w, node, to != node ? to : (to + 1) % w->count);
    }
    if (!world_until(w, all_present, 0, 300 * SECOND))
        f->unfinished++;
    f->returned[f->known_count++] = seconds(w->now_ns - at_ns);
    world_run(w, w->now_ns + world_random(w, 2 * SECOND));
}

static void failure(const struct options *o, uint64_t seed, struct figures *f)
{
    struct world *w = begin(o, o->nodes, 0, seed, 10);
    for (uint32_t i = 0; i < o->crashes && f->known_count < f->room; i++)
        crash_and_return(w, f);
    f->false_dead += w->tally.dead_healthy;
    end(w, f);
}

/* ---- a bad network and slow nodes ---- */

static void stress(const struct options *o, uint64_t seed, struct figures *f)
{
    struct world *w = begin(o, o->nodes, 0, seed, 50);
    world_stalls(w, 0.1);
    world_run(w, w->now_ns + 10 * SECOND);
    w->tally = (struct tally){0};
    world_run(w, w->now_ns + o->seconds * SECOND);
    f->false_dead += w->tally.dead_healthy;
    f->stalled_dead += w->tally.dead_stalled;
    f->woken_dead += w->tally.dead_woken;
    f->suspicions += w->tally.suspicions;
    f->stalls += w->tally.stalls;
    f->node_hours += (double)o->nodes * o->seconds / 3600;
    f->stress_bytes += (double)w->tally.bytes / o->nodes / o->seconds;
    if (w->tally.most_bytes_a_second > f->stress_most)
        f->stress_most = w->tally.most_bytes_a_second;
    end(w, f);
}

/* ---- many join at once, all by the same three ---- */

static void join(const struct options *o, uint64_t seed, struct figures *f)
{
    uint32_t more = 100;
    struct world *w = begin(o, o->nodes, more, seed, 10);
    uint64_t at_ns = w->now_ns;
    for (uint32_t i = 0; i < more; i++) {
        world_boot(w, o->nodes + i);
        for (uint32_t s = 0; s < SEEDS_OF_ONE; s++)
            world_introduce(w, o->nodes + i, s);
    }
    f->unfinished += !world_until(w, all_present, 0, 300 * SECOND);
    if (seconds(w->now_ns - at_ns) > f->joined_s)
        f->joined_s = seconds(w->now_ns - at_ns);
    world_run(w, w->now_ns + SECOND);
    if (w->tally.most_bytes_a_second > f->join_most)
        f->join_most = w->tally.most_bytes_a_second;
    f->false_dead += w->tally.dead_all;
    end(w, f);
}

/* ---- a third is cut off for a minute ---- */

static void partition(const struct options *o, uint64_t seed, struct figures *f)
{
    struct world *w = begin(o, o->nodes, 0, seed, 10);
    for (uint32_t i = 0; i < w->count; i++)
        w->peers[i].side = world_random(w, 3) == 0;
    w->cut = true;
    world_run(w, w->now_ns + 60 * SECOND);
    w->cut = false;
    uint64_t at_ns = w->now_ns;
    w->tally = (struct tally){0};
    f->unfinished += !world_until(w, all_present, 0, 600 * SECOND);
    if (seconds(w->now_ns - at_ns) > f->healed_s)
        f->healed_s = seconds(w->now_ns - at_ns);
    if (w->tally.most_bytes_a_second > f->heal_most)
        f->heal_most = w->tally.most_bytes_a_second;
    world_run(w, w->now_ns + 30 * SECOND);
    f->flaps += w->tally.dead_all;
    end(w, f);
}

/* ---- what came out ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double at_rank(const double *sorted, uint32_t count, double share)
{
    uint32_t rank = (uint32_t)ceil(share * count);
    return count ? sorted[rank ? rank - 1 : 0] : NAN;
}

static bool runs(const struct options *o, const char *name)
{
    return !o->only || strcmp(o->only, name) == 0;
}

static void report_failures(const struct options *o, const struct figures *f)
{
    if (!f->known_count)
        return;
    double p50 = at_rank(f->known, f->known_count, 0.5), p99 = at_rank(f->known, f->known_count, 0.99);
    double most = f->known[f->known_count - 1], back = f->returned[f->known_count - 1];
    if (o->json)
        printf(", \"failures\": %u, \"known_p50_s\": %.2f, \"known_p99_s\": %.2f, \"known_most_s\": %.2f, "
               "\"returned_p50_s\": %.2f, \"returned_most_s\": %.2f",
               f->known_count, p50, p99, most, at_rank(f->returned, f->known_count, 0.5), back);
    else
        printf(
            "failure    %u crashes: known to all after p50 %.2f s, p99 %.2f s, most %.2f s; a restart known after p50 "
            "%.2f s, most %.2f s\n",
            f->known_count, p50, p99, most, at_rank(f->returned, f->known_count, 0.5), back);
}

static void report_text(const struct options *o, const struct figures *f)
{
    if (runs(o, "calm"))
        printf("calm       %.1f packets and %.0f bytes a node and second, most %.0f in a second\n",
               f->calm_packets / f->runs, f->calm_bytes / f->runs, f->calm_most);
    report_failures(o, f);
    if (runs(o, "stress"))
        printf("stress     %.0f node-hours, %llu stalls: %llu verdicts on healthy nodes, %llu on just woken, %llu on "
               "stalled; %llu suspicions; %.0f bytes a node and second, most %llu in a second\n",
               f->node_hours, (unsigned long long)f->stalls, (unsigned long long)f->false_dead,
               (unsigned long long)f->woken_dead, (unsigned long long)f->stalled_dead,
               (unsigned long long)f->suspicions, f->stress_bytes / f->runs, (unsigned long long)f->stress_most);
    if (runs(o, "join"))
        printf("join       100 at once: all know all after %.2f s; most %llu bytes of a node in a second\n",
               f->joined_s, (unsigned long long)f->join_most);
    if (runs(o, "partition"))
        printf("partition  healed: all know all after %.2f s, then and after that %llu verdicts; most %llu bytes of a "
               "node in a second\n",
               f->healed_s, (unsigned long long)f->flaps, (unsigned long long)f->heal_most);
    printf("%zu bytes a member; %u unfinished; %.0f virtual seconds of %u nodes in %.1f s\n", f->bytes_each,
           f->unfinished, f->virtual_s, o->nodes, f->real_s);
}

static void report_json(const struct options *o, const struct figures *f)
{
    printf("{\"nodes\": %u, \"probe_ms\": %llu, \"seeds\": %llu, \"bytes_a_member\": %zu, \"unfinished\": %u", o->nodes,
           (unsigned long long)o->probe_ms, (unsigned long long)o->seeds, f->bytes_each, f->unfinished);
    report_failures(o, f);
    if (runs(o, "calm"))
        printf(", \"packets_s\": %.1f, \"bytes_s\": %.0f, \"most_bytes_s\": %.0f", f->calm_packets / f->runs,
               f->calm_bytes / f->runs, f->calm_most);
    if (runs(o, "stress"))
        printf(", \"node_hours\": %.1f, \"false_dead\": %llu, \"woken_dead\": %llu, \"stalled_dead\": %llu, "
               "\"stalls\": %llu, \"stress_bytes_s\": %.0f, \"stress_most_bytes_s\": %llu",
               f->node_hours, (unsigned long long)f->false_dead, (unsigned long long)f->woken_dead,
               (unsigned long long)f->stalled_dead, (unsigned long long)f->stalls, f->stress_bytes / f->runs,
               (unsigned long long)f->stress_most);
    if (runs(o, "join"))
        printf(", \"joined_s\": %.2f, \"join_most_bytes_s\": %llu", f->joined_s, (unsigned long long)f->join_most);
    if (runs(o, "partition"))
        printf(", \"healed_s\": %.2f, \"flaps\": %llu, \"heal_most_bytes_s\": %llu", f->healed_s,
               (unsigned long long)f->flaps, (unsigned long long)f->heal_most);
    printf(", \"virtual_s\": %.0f, \"real_s\": %.1f}\n", f->virtual_s, f->real_s);
}

/* Times hold at the probe period that they are promised for, and scale with it. */
static int verdict(const struct options *o, const struct figures *f)
{
    double known_s = o->patient ? 20 : 5 * (double)o->probe_ms / 250;
    bool known_late = f->known_count && at_rank(f->known, f->known_count, 0.99) > known_s;
    if (f->unfinished)
        return 4;
    return f->false_dead || f->flaps || known_late || f->joined_s > 10 || f->bytes_each > 256 || f->calm_most > 10000
               ? 3
               : 0;
}

static uint64_t number_of(int argc, char **argv, const char *name, uint64_t otherwise)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return strtoull(argv[i + 1], NULL, 10);
    }
    return otherwise;
}

static bool flag_of(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return true;
    }
    return false;
}

static const char *word_of(int argc, char **argv, const char *name)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct options o = {.nodes = (uint32_t)number_of(argc, argv, "--nodes", 1000),
                        .crashes = (uint32_t)number_of(argc, argv, "--crashes", 20),
                        .seconds = (uint32_t)number_of(argc, argv, "--seconds", 60),
                        .seeds = number_of(argc, argv, "--seeds", 1),
                        .seed = number_of(argc, argv, "--seed", 1),
                        .probe_ms = number_of(argc, argv, "--probe", 250),
                        .only = word_of(argc, argv, "--only"),
                        .patient = flag_of(argc, argv, "--patient"),
                        .brief = flag_of(argc, argv, "--brief"),
                        .json = flag_of(argc, argv, "--json"),
                        .trace = flag_of(argc, argv, "--trace")};
    static const struct {
        const char *name;
        void (*run)(const struct options *o, uint64_t seed, struct figures *f);
    } scenarios[] = {
        {"calm", calm}, {"failure", failure}, {"stress", stress}, {"join", join}, {"partition", partition}};
    if (o.nodes < 4 || o.nodes > 30000 || !o.probe_ms || !o.seconds || !o.seeds) {
        fprintf(stderr, "member: 4 to 30000 nodes, and at least one second, seed and millisecond\n");
        return 2;
    }
    struct figures f = {.room = (uint32_t)o.seeds * o.crashes};
    struct timespec from, to;
    f.known = calloc(f.room + 1, sizeof(double));
    f.returned = calloc(f.room + 1, sizeof(double));
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (uint64_t seed = o.seed; seed < o.seed + o.seeds; seed++) {
        for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
            struct options of = o;
            of.nodes = o.brief && scenarios[i].run != failure ? o.nodes / 5 : o.nodes;
            if (runs(&o, scenarios[i].name))
                scenarios[i].run(&of, seed, &f);
        }
        f.runs++;
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    f.real_s = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    qsort(f.known, f.known_count, sizeof(double), by_size);
    qsort(f.returned, f.known_count, sizeof(double), by_size);
    if (o.json)
        report_json(&o, &f);
    else
        report_text(&o, &f);
    int code = verdict(&o, &f);
    free(f.known);
    free(f.returned);
    return code;
}
