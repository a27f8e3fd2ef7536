/* Operations on endpoints that others find by name: in the whole cluster, or at one node. */
#include "service_private.h"

void service_unpublish(uint64_t number)
{
    uint64_t flags = cluster_enter();
    remote_unpublish(number);
    cluster_leave(flags);
}

/* Handles to this service itself are not for others to find. */
static bool can_be_offered(const struct handle_ref *ref)
{
    return ref->object->type == OBJECT_ENDPOINT && !authority_permissions(ref->object);
}

static void begin_name_register(struct request *r)
{
    DECODE(name_register, r)
    struct handle_ref *ref = &r->refs[in.endpoint - 1];
    uint64_t flags = cluster_enter();
    bool endpoint = can_be_offered(ref);
    r->published = endpoint ? remote_publish(ref) : 0;
    if (r->published)
        *ref = (struct handle_ref){0};
    cluster_leave(flags);
    if (!r->published) {
        cluster_answer(r, endpoint ? E_FULL : E_WRONG_TYPE, NULL);
        return;
    }
    uint64_t number = r->published;
    struct tables_op op = {.kind = TABLES_NAME_PUT,
                           .name_put = {r->process_id, number, text_of(in.name, in.name_length)}};
    if (!service_propose(r, &op))
        service_unpublish(number);
}

static void refused_name_register(struct request *r)
{
    service_unpublish(r->published);
}

static void read_name(struct request *r, const struct tables *t)
{
    DECODE(name_lookup, r)
    struct tables_name_view name;
    struct handle_ref ref = {0};
    err_t err = E_OK;
    if (!tables_name(t, text_of(in.name, in.name_length), &name))
        err = E_NOT_FOUND;
    if (err == E_OK) {
        uint64_t flags = cluster_enter();
        err = remote_import(name.node, name.boot, name.export_id, &ref);
        cluster_leave(flags);
    }
    if (err != E_OK)
        cluster_answer(r, err, NULL);
    else
        ANSWER_HANDLE(r, name_lookup, ref, .endpoint = 1);
}

static void found(void *context, err_t err, struct handle_ref *ref)
{
    struct request *r = context;
    r->found_err = err;
    if (err == E_OK)
        r->refs[0] = *ref;
    r->phase = PHASE_FOUND;
    cluster_wake();
}

static void begin_node_service(struct request *r)
{
    DECODE(node_service, r)
    if (in.node < 1 || in.node > NODES_MAX) {
        cluster_answer(r, E_NOT_FOUND, NULL);
        return;
    }
    r->phase = PHASE_FINDING;
    uint64_t flags = cluster_enter();
    remote_find(in.node, in.name, found, r);
    cluster_leave(flags);
}

void service_found(struct request *r)
{
    struct handle_ref ref = r->refs[0];
    r->refs[0] = (struct handle_ref){0};
    if (r->found_err)
        cluster_answer(r, r->found_err, NULL);
    else
        ANSWER_HANDLE(r, node_service, ref, .endpoint = 1);
}

static void begin_node_offer(struct request *r)
{
    DECODE(node_offer, r)
    struct handle_ref *ref = &r->refs[in.endpoint - 1];
    uint64_t flags = cluster_enter();
    bool endpoint = can_be_offered(ref);
    err_t err = endpoint ? remote_offer(in.name, r->serial, ref) : E_WRONG_TYPE;
    if (err == E_OK)
        *ref = (struct handle_ref){0};
    cluster_leave(flags);
    cluster_answer(r, err, NULL);
}

const struct service_op service_name_register_op = {.begin = begin_name_register, .refused = refused_name_register};
const struct service_op service_name_lookup_op = {.begin = service_ask_read, .read = read_name};
const struct service_op service_node_service_op = {.begin = begin_node_service};
const struct service_op service_node_offer_op = {.begin = begin_node_offer};
