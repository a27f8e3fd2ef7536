/* Random histories: replicas stay equal, a snapshot is the state, locks have one holder, and hostile bytes do no harm.
 */
#include "fixture.h"

static const char *const names[] = {"a", "b", "c/1", "c/2", "dd", "e"};

static const char *const election_of[] = {"e1", "e2", "a"};

static struct tables_text random_steps(struct random *random, uint64_t recent)
{
    static struct steps s; /* good until the next one is made */
    uint32_t count = 1 + random_below(random, 6), section = TXN_IF;
    s.used = 0;
    for (uint32_t i = 0; i < count; i++) {
        section = section < TXN_ELSE && random_below(random, 2) ? section + 1 : section;
        struct txn_step head = {.section = (uint8_t)section};
        head.kind = (uint8_t)(section == TXN_IF ? 1 + random_below(random, 5) : 6 + random_below(random, 2));
        if (head.kind == TXN_REVISION)
            head.number = recent;
        if (head.kind == TXN_FENCE)
            head.number = 1ull << 56 | recent << 12;
        if (head.kind == TXN_PUT && random_below(random, 3) == 0)
            head.number = recent;
        bool valued = head.kind == TXN_VALUE || head.kind == TXN_PUT;
        steps_add(&s, head, names[random_below(random, 6)], valued ? names[random_below(random, 6)] : "");
    }
    return (struct tables_text){s.bytes, s.used};
}

/* Mostly each name is of one kind, so that lines form; sometimes the kinds clash. */
static void random_lock(struct random *random, struct tables_op *op)
{
    static const char *const name_of[] = {"", "a", "c/1", "s", "e1", "b"};
    uint32_t mode = 1 + random_below(random, 5);
    op->lock.mode = mode;
    op->lock.try_only = random_below(random, 4) == 0;
    op->lock.name = text(random_below(random, 10) ? name_of[mode == TABLES_SHARED ? 1 : mode] : "a");
    op->lock.permits = mode == TABLES_PERMIT ? 2 : mode == TABLES_PARTY ? 3 : 0;
    op->lock.delay_ns = mode != TABLES_PARTY && random_below(random, 3) == 0 ? 900000000 : 0;
    if (mode == TABLES_CANDIDATE)
        op->lock.value = text(names[random_below(random, 6)]);
}

static struct tables_op random_op(struct random *random, uint64_t index)
{
    struct tables_text name = text(names[random_below(random, 6)]);
    struct tables_op op = {.kind = 1 + random_below(random, TABLES_KINDS - 1)};
    bool leader = op.kind <= TABLES_EXPIRE || op.kind == TABLES_JOB_PLACE || op.kind == TABLES_NODE_WISH ||
                  op.kind == TABLES_LEVEL;
    uint64_t process = random_below(random, 4);
    op.node = leader ? 0 : 1 + random_below(random, 4);
    op.boot[0] = 1 + random_below(random, 8) / 7;
    op.sequence = 1 + index + random_below(random, 30);
    uint64_t recent = index - random_below(random, index < 40 ? (uint32_t)index + 1 : 40);
    switch (op.kind) {
    case TABLES_NODE_JOIN:
        op.node_join.node_id[0] = 1 + random_below(random, 4);
        op.node_join.boot_id[0] = 1 + random_below(random, 8) / 7;
        op.node_join.level = TABLES_LEVEL_NOW - random_below(random, 20) / 19;
        op.node_join.name = name;
        break;
    case TABLES_RENEW:
        op.renew.now_ns = index * 300000000ull;
        op.renew.nodes = random_next(random);
        break;
    case TABLES_EXPIRE:
        op.expire.node = 1 + random_below(random, 4);
        op.expire.boot_id[0] = 1;
        op.expire.renewal = recent;
        op.expire.term = 1;
        break;
    case TABLES_NODE_WISH:
        op.node_wish.node = 1 + random_below(random, 5);
        op.node_wish.wish = random_below(random, 8);
        break;
    case TABLES_LEVEL:
        op.level.level = random_below(random, TABLES_LEVEL_NOW + 1);
        break;
    case TABLES_CLUSTER_KEY:
        op.cluster_key.action = random_below(random, 7);
        op.cluster_key.id = random_below(random, 4);
        op.cluster_key.from_id = random_below(random, 4);
        op.cluster_key.leaked = random_below(random, 3);
        break;
    case TABLES_PROCESS_END:
    case TABLES_SESSION_OPEN:
        op.process_end.process_id = process;
        break;
    case TABLES_SESSION_CLOSE:
        op.session_close.session = recent;
        op.session_close.process_id = process;
        break;
    case TABLES_KEY_PUT:
        op.key_put.if_revision = random_below(random, 2) ? TABLES_ANY_REVISION : recent;
        op.key_put.name = name;
        op.key_put.value = text(names[random_below(random, 6)]);
        op.key_put.process_id = process;
        op.key_put.sequential = random_below(random, 4) == 0;
        op.key_put.session = random_below(random, 2) ? 0 : recent;
        break;
    case TABLES_TXN:
        op.txn.process_id = process;
        op.txn.steps = random_steps(random, recent);
        break;
    case TABLES_ELECTED_SET:
        op.elected_set.fence = 1ull << 56 | recent << 12;
        op.elected_set.process_id = process;
        op.elected_set.name = text(election_of[random_below(random, 3)]);
        op.elected_set.value = name;
        break;
    case TABLES_KEY_DELETE:
        op.key_delete.if_revision = TABLES_ANY_REVISION;
        op.key_delete.name = name;
        break;
    case TABLES_KEY_APPEND:
        op.key_append.session = recent;
        op.key_append.number = 1 + random_below(random, 3);
        op.key_append.name = name;
        op.key_append.process_id = 1 + random_below(random, 3);
        op.key_append.data = text("data");
        break;
    case TABLES_LOCK:
        random_lock(random, &op);
        op.lock.process_id = process;
        break;
    case TABLES_LOCK_CANCEL:
        op.lock_cancel.ticket = recent;
        break;
    case TABLES_UNLOCK:
        op.unlock.fence = 1ull << 56 | recent << 12;
        op.unlock.name = name;
        op.unlock.process_id = 1 + random_below(random, 3);
        op.unlock.any = random_below(random, 2);
        break;
    case TABLES_NAME_PUT:
    case TABLES_NAME_DELETE:
        op.name_put.process_id = process;
        op.name_put.export_id = process;
        op.name_put.name = name;
        if (op.kind == TABLES_NAME_DELETE) {
            op.name_delete.export_id = process;
            op.name_delete.name = name;
        }
        break;
    case TABLES_JOB_SUBMIT:
        op.job_submit.count = 1 + random_below(random, 3);
        op.job_submit.command = text("run");
        op.job_submit.classes = random_below(random, CLUSTER_MAY_ALL + 1);
        op.job_submit.prefix = text(op.job_submit.classes & 1 ? "app/" : "");
        break;
    case TABLES_JOB_PLACE:
        op.job_place.job = 1 + random_below(random, 1 + (uint32_t)index / 18);
        op.job_place.instance = random_below(random, 3);
        op.job_place.node = 1 + random_below(random, 4);
        op.job_place.boot_id[0] = 1;
        op.job_place.why = text("random");
        break;
    case TABLES_JOB_REPORT:
    case TABLES_JOB_KILL:
        op.job_report.job = 1 + random_below(random, 1 + (uint32_t)index / 18);
        if (op.kind == TABLES_JOB_KILL)
            break;
        op.job_report.instance = random_below(random, 3);
        op.job_report.state = 2 + random_below(random, 2);
        break;
    }
    return op;
}

static size_t save_all(struct replica *r, uint8_t *to, size_t room, struct random *random)
{
    static struct tables_saver saver;
    size_t total = 0, bytes;
    tables_save_begin(r->t, &saver);
    CHECK(saver.total <= room);
    while ((bytes = tables_save(r->t, &saver, to + total, 1 + random_below(random, 700))))
        total += bytes;
    CHECK_EQUAL(total, saver.total);
    return total;
}

static err_t load_all(struct replica *r, const uint8_t *from, size_t bytes, struct random *random)
{
    static struct tables_loader loader;
    tables_load_begin(r->t, &loader);
    for (size_t at = 0; at < bytes;) {
        size_t piece = 1 + random_below(random, 900);
        piece = piece < bytes - at ? piece : bytes - at;
        if (tables_load(r->t, &loader, from + at, piece))
            break;
        at += piece;
    }
    return tables_load_end(r->t, &loader);
}

/* No more holders than the kind allows, no waiter while it could be granted, fences rising. */
static void check_locks(struct replica *r, uint64_t *highest)
{
    struct tables_lock_view view;
    struct tables_text after = text("");
    while (tables_lock_next(r->t, after, &view)) {
        bool single = view.mode == TABLES_EXCLUSIVE || view.mode == TABLES_CANDIDATE;
        CHECK(view.holders + view.waiters >= 1 || view.delayed);
        CHECK(!single || view.holders <= 1);
        CHECK(view.mode != TABLES_PERMIT || view.holders <= view.permits);
        CHECK(view.mode != TABLES_PARTY || view.waiters < view.permits);
        if (view.waiters && !view.delayed && view.mode != TABLES_PARTY)
            CHECK(view.holders >= 1 && (view.mode != TABLES_PERMIT || view.holders == view.permits));
        after = (struct tables_text){view.name, view.name_bytes};
    }
    for (uint32_t i = 0; i < r->event_count; i++) {
        if (r->events[i].kind != TABLES_EVENT_GRANTED)
            continue;
        CHECK(r->events[i].fence > *highest);
        *highest = r->events[i].fence;
    }
}

/* A watcher that asks now and then: what it is told, put together, is what is there. */
struct watcher_model {
    struct tables_position at, last;
    char names[64][32];
    uint64_t revisions[64];
    uint32_t count;
};

static void model_change(struct watcher_model *w, const struct tables_change *c)
{
    uint32_t i = 0;
    CHECK(c->name.bytes < 32);
    CHECK(c->position.revision > w->last.revision ||
          (c->position.revision == w->last.revision && c->position.part > w->last.part));
    w->last = c->position;
    while (i < w->count && (strlen(w->names[i]) != c->name.bytes || memcmp(w->names[i], c->name.at, c->name.bytes)))
        i++;
    if (c->kind == TABLES_CHANGE_DELETE) {
        CHECK(i < w->count);
        w->count--;
        memmove(w->names[i], w->names[w->count], 32);
        w->revisions[i] = w->revisions[w->count];
        return;
    }
    if (i == w->count) {
        CHECK(w->count < 64);
        w->count++;
    }
    memset(w->names[i], 0, 32);
    memcpy(w->names[i], c->name.at, c->name.bytes);
    w->revisions[i] = c->position.revision;
}

static void model_follow(struct watcher_model *w, const struct replica *r)
{
    struct tables_change change;
    struct tables_key_view key;
    uint32_t count = 0;
    while (tables_change_next(r->t, TABLES_WATCH_KEYS, text("c/"), &w->at, &change))
        model_change(w, &change);
    CHECK_EQUAL(w->at.revision, tables_applied_index(r->t) + 1);
    struct tables_text after = text("");
    while (tables_key_next(r->t, text("c/"), after, &key)) {
        uint32_t i = 0;
        while (i < w->count && (strlen(w->names[i]) != key.name_bytes || memcmp(w->names[i], key.name, key.name_bytes)))
            i++;
        CHECK(i < w->count && w->revisions[i] == key.revision);
        after = (struct tables_text){key.name, key.name_bytes};
        count++;
    }
    CHECK_EQUAL(count, w->count);
}

static struct replica one, two;
static uint8_t snapshot[1 << 20], changed[1 << 20];

static void history(uint64_t seed)
{
    struct random random = {seed};
    uint64_t highest = 0;
    static struct watcher_model watcher;
    memset(&watcher, 0, sizeof(watcher));
    watcher.at.revision = 1;
    replica_open(&one);
    replica_open(&two);
    for (uint64_t index = 1; index <= 400; index++) {
        struct tables_op op = random_op(&random, index);
        err_t err = replica_apply(&one, op);
        CHECK_EQUAL(replica_apply(&two, op), err);
        CHECK_EQUAL(two.event_count, one.event_count);
        check_locks(&one, &highest);
        if (op.kind == TABLES_LOCK && !err && one.result.value) {
            CHECK(one.result.value > highest);
            highest = one.result.value;
        }
        if (random_below(&random, 8) == 0)
            model_follow(&watcher, &one);
        if (index % 40)
            continue;
        CHECK_EQUAL(tables_hash(one.t), tables_hash(two.t));
        /* Replica two forgets everything and takes the snapshot; it must go on as if nothing had happened. */
        size_t bytes = save_all(&one, snapshot, sizeof(snapshot), &random);
        CHECK_EQUAL(load_all(&two, snapshot, bytes, &random), E_OK);
        CHECK_EQUAL(tables_hash(two.t), tables_hash(one.t));
        CHECK_EQUAL(tables_applied_index(two.t), index);
        /* A damaged one is refused and leaves nothing. */
        memcpy(changed, snapshot, bytes);
        changed[random_below(&random, (uint32_t)bytes)] ^= (uint8_t)(1u << random_below(&random, 8));
        CHECK(load_all(&two, changed, bytes, &random) != E_OK);
        CHECK_EQUAL(tables_applied_index(two.t), 0);
        CHECK(load_all(&two, snapshot, random_below(&random, (uint32_t)bytes), &random) != E_OK);
        CHECK_EQUAL(load_all(&two, snapshot, bytes, &random), E_OK);
    }
    replica_close(&one);
    replica_close(&two);
}

static void test_histories(void)
{
    for (uint64_t seed = 1; seed <= 150; seed++)
        history(seed);
}

static void test_codec_round_trip(void)
{
    uint8_t first[TABLES_ENTRY_MAX], second[TABLES_ENTRY_MAX];
    struct random random = {42};
    for (uint64_t i = 0; i < 20000; i++) {
        struct tables_op op = random_op(&random, 1 + i % 100), back;
        size_t bytes = tables_encode(&op, first, sizeof(first));
        CHECK_EQUAL(tables_decode(first, bytes, &back), E_OK);
        CHECK_EQUAL(tables_encode(&back, second, sizeof(second)), bytes);
        CHECK(!memcmp(first, second, bytes));
        CHECK_EQUAL(tables_decode(first, bytes - 1, &back), E_BAD_MESSAGE);
        CHECK_EQUAL(tables_encode(&op, second, bytes - 1), 0);
    }
}

/* Entries are changed at random: whatever decodes must be applied without harm, equally by both. */
static void test_hostile_entries(void)
{
    uint8_t entry[TABLES_ENTRY_MAX];
    struct random random = {7};
    replica_open(&one);
    replica_open(&two);
    for (uint64_t i = 1; i <= 30000; i++) {
        struct tables_op op = random_op(&random, i % 500 + 1);
        size_t bytes = tables_encode(&op, entry, sizeof(entry));
        for (uint32_t flips = random_below(&random, 3); flips; flips--)
            entry[random_below(&random, (uint32_t)bytes)] = (uint8_t)random_next(&random);
        err_t err = replica_apply_bytes(&one, entry, bytes);
        CHECK_EQUAL(replica_apply_bytes(&two, entry, bytes), err);
    }
    CHECK_EQUAL(tables_hash(one.t), tables_hash(two.t));
    replica_close(&one);
    replica_close(&two);
}

int main(void)
{
    RUN(test_codec_round_trip);
    RUN(test_histories);
    RUN(test_hostile_entries);
    return 0;
}
