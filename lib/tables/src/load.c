/* Reading a snapshot. Everything in it is checked as if a stranger had sent it. */
#include <wire/wire.h>

#include "snapshot.h"
#include "state.h"

static void get_id(struct wire_reader *r, uint64_t id[2])
{
    id[0] = wire_get_u64(r);
    id[1] = wire_get_u64(r);
}

static struct tables_text get_text(struct wire_reader *r, uint32_t least, uint32_t limit)
{
    struct tables_text text = {.bytes = wire_get_u16(r)};
    if (text.bytes < least || text.bytes > limit)
        r->failed = true;
    text.at = wire_take(r, text.bytes);
    return text;
}

/* Fields first, then this: all there, nothing over, and the claim holds. */
static err_t check(const struct wire_reader *r, bool claim)
{
    return wire_done(r) && claim ? E_OK : E_BAD_MESSAGE;
}

static err_t added(const void *row)
{
    return row ? E_OK : E_NO_MEMORY;
}

/* Rows come by rising number or name, so that a state has one snapshot. */
static bool number_follows(const struct tree *tree, uint64_t number)
{
    return number && !tree_above_number(tree, number - 1);
}

static bool name_follows(const struct tree *tree, struct tables_text name)
{
    return !tree_find(tree, name) && !tree_above(tree, &name);
}

static bool node_follows(const struct tables *t, uint32_t number)
{
    for (uint32_t n = number; n <= NODES_MAX; n++) {
        if (tables_node(t, n))
            return false;
    }
    return number >= 1 && number <= NODES_MAX;
}

static bool cluster_key_right(const struct tables_cluster_key *k)
{
    bool changing = k->next_id != 0;
    return k->leaked <= 1 && (changing || (!k->ready && !k->leaked)) && (!changing || k->id) &&
           (k->id != k->next_id || !k->id) && (!k->changes || k->id);
}

static err_t load_head(struct tables *t, struct wire_reader *r)
{
    uint64_t cluster_id[2];
    bool known = wire_get_u32(r) == SNAPSHOT_MAGIC;
    known = wire_get_u32(r) == SNAPSHOT_VERSION && known;
    get_id(r, cluster_id);
    uint32_t epoch = wire_get_u32(r);
    t->index = wire_get_u64(r);
    t->term = wire_get_u64(r);
    t->now_ns = wire_get_u64(r);
    t->next_job = wire_get_u64(r);
    t->next_sequence = wire_get_u64(r);
    t->level = wire_get_u32(r);
    t->cluster_key.id = wire_get_u64(r);
    t->cluster_key.next_id = wire_get_u64(r);
    t->cluster_key.ready = wire_get_u64(r);
    t->cluster_key.leaked = wire_get_u64(r);
    t->cluster_key.changes = wire_get_u64(r);
    bool ours = cluster_id[0] == t->cluster_id[0] && cluster_id[1] == t->cluster_id[1] && epoch == t->epoch;
    err_t err = check(r, known && ours && t->level && cluster_key_right(&t->cluster_key));
    return !err && t->level > t->build_level ? E_NOT_SUPPORTED : err;
}

static err_t load_node(struct tables *t, struct wire_reader *r)
{
    struct tables_node node = {.number = wire_get_u32(r)};
    node.durable = wire_get_u32(r);
    node.cpus = wire_get_u32(r);
    node.live = wire_get_u32(r);
    node.wish = wire_get_u32(r);
    node.level = wire_get_u32(r);
    get_id(r, node.node_id);
    get_id(r, node.log_id);
    get_id(r, node.boot_id);
    node.renewed_ns = wire_get_u64(r);
    node.renewal = wire_get_u64(r);
    node.sequence_floor = wire_get_u64(r);
    for (size_t i = 0; i < TABLES_WINDOW / 64; i++)
        node.sequence_bits[i] = wire_get_u64(r);
    get_id(r, node.log_key.low);
    get_id(r, node.log_key.high);
    node.log_key.cluster_key = wire_get_u64(r);
    wire_get_bytes(r, node.name, sizeof(node.name));
    bool right = node_follows(t, node.number) && node.durable <= 1 && node.live <= 1 && node.wish < TABLES_WISHES &&
                 !(node.live && node.wish == TABLES_WISH_REMOVED) && nodes_log_key_right(&node.log_key) &&
                 node.renewed_ns <= t->now_ns && node.renewal <= t->index && node.name[sizeof(node.name) - 1] == 0;
    err_t err = check(r, right);
    if (!err)
        t->nodes[node.number - 1] = node;
    return err;
}

static err_t load_session(struct tables *t, struct wire_reader *r)
{
    uint64_t session = wire_get_u64(r), process_id = wire_get_u64(r);
    uint64_t last_number = wire_get_u64(r), last_value = wire_get_u64(r);
    uint32_t last_err = wire_get_u32(r), node = wire_get_u32(r);
    err_t err = check(r, number_follows(&t->sessions, session) && nodes_live(t, node) && last_err < E_COUNT &&
                             owners_have_session_room(t, node, process_id));
    if (err)
        return err;
    struct session *s = sessions_add(t, session, node, process_id);
    if (!s)
        return E_NO_MEMORY;
    s->last_number = last_number;
    s->last_value = last_value;
    s->last_err = last_err;
    return E_OK;
}

static err_t load_key(struct tables *t, struct wire_reader *r)
{
    uint64_t revision = wire_get_u64(r), session = wire_get_u64(r);
    struct tables_text name = get_text(r, 1, TABLES_NAME_MAX);
    struct tables_text value = get_text(r, 0, TABLES_VALUE_MAX);
    err_t err = check(r, revision && revision <= t->index && t->keys.count < TABLES_KEYS_MAX &&
                             (!session || sessions_find(t, session)));
    if (!err && !name_follows(&t->keys, name))
        err = E_BAD_MESSAGE;
    return err ? err : added(keys_add(t, name, value, revision, session));
}

static err_t load_name(struct tables *t, struct wire_reader *r)
{
    uint64_t process_id = wire_get_u64(r), export_id = wire_get_u64(r);
    uint32_t node = wire_get_u32(r);
    struct tables_text name = get_text(r, 1, TABLES_NAME_MAX);
    err_t err = check(r, nodes_live(t, node) && t->names.count < TABLES_NAMES_MAX);
    if (!err && !name_follows(&t->names, name))
        err = E_BAD_MESSAGE;
    return err ? err : added(names_add(t, name, node, process_id, export_id));
}

static bool lock_right(const struct tables *t, const struct lock *lock)
{
    bool counted = lock->mode == TABLES_PERMIT || lock->mode == TABLES_PARTY;
    bool permits_right = counted ? lock->permits >= 1 && lock->permits <= TABLES_PERMITS_MAX : lock->permits == 0;
    bool delay_right = lock->delay_ns <= TABLES_DELAY_MAX_NS && (lock->delay_ns || !lock->delayed_until_ns) &&
                       (!lock->delay_ns || lock->mode != TABLES_PARTY);
    return lock->created && lock->created <= t->index && lock->mode >= TABLES_EXCLUSIVE && lock->mode <= TABLES_PARTY &&
           permits_right && delay_right;
}

static err_t load_lock(struct tables *t, struct wire_reader *r)
{
    struct lock like = {.fence = wire_get_u64(r)};
    like.created = wire_get_u64(r);
    like.delay_ns = wire_get_u64(r);
    like.delayed_until_ns = wire_get_u64(r);
    like.mode = wire_get_u32(r);
    like.permits = wire_get_u32(r);
    struct tables_text name = get_text(r, 1, TABLES_NAME_MAX);
    err_t err = check(r, t->locks.count < TABLES_LOCKS_MAX && lock_right(t, &like));
    if (!err && !name_follows(&t->locks, name))
        err = E_BAD_MESSAGE;
    struct lock *lock = err ? NULL : locks_add(t, name);
    if (lock) {
        like.by_name = lock->by_name;
        *lock = like;
        t->delayed_locks += lock->delay_ns != 0;
    }
    return err ? err : added(lock);
}

/* May it hold the lock together with those that hold it already? */
static bool shares(const struct lock *lock, uint32_t mode)
{
    if (mode == TABLES_PARTY)
        return true;
    if (mode == TABLES_PERMIT)
        return lock->holders < lock->permits;
    return !lock->holders || mode == TABLES_SHARED;
}

/* Does it fit behind the requests that its lock has already? */
static bool request_fits(const struct lock *lock, const struct request *like)
{
    bool right = like->mode >= TABLES_EXCLUSIVE && locks_same_kind(lock->mode, like->mode) &&
                 like->delay_ns <= TABLES_DELAY_MAX_NS && (like->mode == TABLES_CANDIDATE || !like->value_bytes);
    if (!like->fence)
        return right;
    return right && like->mode == lock->mode && shares(lock, like->mode) && !lock->waiters &&
           like->fence <= lock->fence;
}

static err_t load_request(struct tables *t, struct wire_reader *r)
{
    struct request like = {.ticket = wire_get_u64(r)};
    like.fence = wire_get_u64(r);
    like.process_id = wire_get_u64(r);
    like.node = wire_get_u32(r);
    like.mode = wire_get_u32(r);
    like.delay_ns = wire_get_u64(r);
    like.sequence = wire_get_u64(r);
    struct tables_text value = get_text(r, 0, TABLES_ELECTED_MAX);
    like.value = (uint8_t *)(uintptr_t)value.at;
    like.value_bytes = value.bytes;
    struct tables_text name = get_text(r, 1, TABLES_NAME_MAX);
    err_t err = check(r, like.ticket <= t->index && number_follows(&t->requests, like.ticket) &&
                             nodes_live(t, like.node) && t->requests.count < TABLES_REQUESTS_MAX);
    struct lock *lock = err ? NULL : TABLES_ROW(tree_find(&t->locks, name), struct lock);
    if (!lock || !request_fits(lock, &like))
        return E_BAD_MESSAGE;
    return added(locks_add_request(t, lock, &like));
}

static err_t load_job(struct tables *t, struct tables_loader *loader, struct wire_reader *r)
{
    uint64_t number = wire_get_u64(r);
    uint32_t count = wire_get_u32(r), killed = wire_get_u32(r), origin = wire_get_u32(r);
    struct tables_text command = get_text(r, 1, TABLES_COMMAND_MAX);
    uint32_t classes = wire_get_u32(r);
    struct tables_text prefix = get_text(r, 0, CLUSTER_PREFIX_MAX);
    err_t err = check(r, number_follows(&t->jobs, number) && number <= t->next_job && count >= 1 &&
                             count <= TABLES_INSTANCES_MAX && killed <= 1 && origin <= NODES_MAX &&
                             !(classes & ~CLUSTER_MAY_ALL) && t->jobs.count < TABLES_JOBS_MAX);
    struct job *job = err ? NULL : jobs_add(t, number, count, command, classes, prefix);
    if (!job)
        return err ? err : E_NO_MEMORY;
    job->row.killed = killed;
    job->row.origin_node = origin;
    loader->last = number;
    loader->staged_instances = 0;
    return E_OK;
}

static err_t load_instance(struct tables *t, struct tables_loader *loader, struct wire_reader *r)
{
    struct job *job = TABLES_ROW(tree_find_number(&t->jobs, loader->last), struct job);
    struct tables_instance i = {.state = wire_get_u32(r)};
    i.node = wire_get_u32(r);
    i.cause = wire_get_u32(r);
    i.code = wire_get_u32(r);
    get_id(r, i.boot);
    i.process_id = wire_get_u64(r);
    i.fence = wire_get_u64(r);
    i.stop = wire_get_u64(r);
    wire_get_bytes(r, i.why, sizeof(i.why));
    err_t err = check(r, job && loader->staged_instances < job->row.count && i.state <= TABLES_JOB_ENDED &&
                             i.node <= NODES_MAX && i.why[sizeof(i.why) - 1] == 0);
    if (err)
        return err;
    bool in_order = job->row.placed_from == loader->staged_instances && i.state != TABLES_JOB_WAITING;
    job->row.placed_from += in_order;
    job->row.ended += i.state == TABLES_JOB_ENDED;
    job->row.instances[loader->staged_instances++] = i;
    return E_OK;
}

static bool job_complete(const struct tables *t, const struct tables_loader *loader)
{
    const struct tables_job *job = tables_job(t, loader->last);
    return !job || loader->staged_instances == job->count;
}

/* A lock that nothing will ever free, serve or remove must not come in. */
static bool lock_alive(const struct lock *lock)
{
    if (lock->mode == TABLES_PARTY)
        return lock->requests && lock->waiters < lock->permits;
    return lock->holders || lock->delay_ns;
}

static bool locks_alive(const struct tables *t)
{
    for (struct tree_node *at = tree_next(&t->locks, NULL); at; at = tree_next(&t->locks, at)) {
        if (!lock_alive(TABLES_ROW(at, const struct lock)))
            return false;
    }
    return true;
}

static err_t load_end(struct tables *t, struct tables_loader *loader, struct wire_reader *r)
{
    uint64_t hash = wire_get_u64(r);
    loader->ended = 1;
    history_clear(t); /* from the snapshot's index on */
    return check(r, hash == loader->hash && job_complete(t, loader) && locks_alive(t));
}

/* Parts come in their order; jobs and instances take turns. */
static bool part_follows(const struct tables *t, const struct tables_loader *loader, uint32_t part)
{
    if (loader->ended || (part == PART_HEAD) != (loader->part == 0))
        return false;
    if (part == PART_JOB)
        return job_complete(t, loader);
    return part >= loader->part;
}

static err_t load_record(struct tables *t, struct tables_loader *loader, const uint8_t *record, size_t bytes)
{
    struct wire_reader r = wire_reader(record, bytes);
    uint32_t part = wire_get_u8(&r);
    if (!part_follows(t, loader, part))
        return E_BAD_MESSAGE;
    loader->part = part;
    switch (part) {
    case PART_HEAD:
        return load_head(t, &r);
    case PART_NODE:
        return load_node(t, &r);
    case PART_SESSION:
        return load_session(t, &r);
    case PART_KEY:
        return load_key(t, &r);
    case PART_NAME:
        return load_name(t, &r);
    case PART_LOCK:
        return load_lock(t, &r);
    case PART_REQUEST:
        return load_request(t, &r);
    case PART_JOB:
        return load_job(t, loader, &r);
    case PART_INSTANCE:
        return load_instance(t, loader, &r);
    case PART_END:
        return load_end(t, loader, &r);
    default:
        return E_BAD_MESSAGE;
    }
}

static void make_empty(struct tables *t)
{
    arena_reset(&t->arena);
    t->index = t->term = t->now_ns = t->next_job = t->next_sequence = 0;
    t->ephemeral_keys = t->delayed_locks = t->delays = 0;
    t->no_memory = false;
    history_clear(t);
    memset(&t->cluster_key, 0, sizeof(t->cluster_key));
    memset(t->nodes, 0, sizeof(t->nodes));
    t->level = t->build_level;
    t->sessions = t->keys = t->names = t->locks = t->requests = t->owners = t->jobs = (struct tree){NULL, 0};
}

void tables_load_begin(struct tables *t, struct tables_loader *loader)
{
    memset(loader, 0, sizeof(*loader));
    loader->hash = SNAPSHOT_HASH_START;
    make_empty(t);
}

static uint32_t staged_length(const struct tables_loader *loader)
{
    struct wire_reader r = wire_reader(loader->stage, 4);
    return wire_get_u32(&r);
}

static err_t fail(struct tables *t, struct tables_loader *loader, err_t err)
{
    make_empty(t);
    loader->failed = err;
    return err;
}

/* How many more bytes the record being staged needs; UINT32_MAX if its length is impossible. */
static uint32_t wanted(const struct tables_loader *loader)
{
    if (loader->staged < 4)
        return 4 - loader->staged;
    uint32_t length = staged_length(loader);
    if (length == 0 || length > sizeof(loader->stage) - 4)
        return UINT32_MAX;
    return 4 + length - loader->staged;
}

err_t tables_load(struct tables *t, struct tables_loader *loader, const void *bytes, size_t count)
{
    const uint8_t *from = bytes;
    while (count && !loader->failed) {
        uint32_t want = wanted(loader);
        if (want == UINT32_MAX)
            return fail(t, loader, E_BAD_MESSAGE);
        uint32_t got = count < want ? (uint32_t)count : want;
        memcpy(loader->stage + loader->staged, from, got);
        loader->staged += got;
        from += got;
        count -= got;
        if (loader->staged <= 4 || wanted(loader) != 0)
            continue;
        err_t err = load_record(t, loader, loader->stage + 4, loader->staged - 4);
        if (err)
            return fail(t, loader, err);
        loader->hash = snapshot_hash(loader->hash, loader->stage, loader->staged);
        loader->staged = 0;
    }
    return loader->failed;
}

err_t tables_load_end(struct tables *t, struct tables_loader *loader)
{
    if (!loader->failed && (!loader->ended || loader->staged))
        return fail(t, loader, E_BAD_MESSAGE);
    return loader->failed;
}
