/* Calls and handles against a peer that is played by hand: what may go wrong while they are under way leaves nothing
 * behind and names nothing that is gone. */
#include "here.h"

#include <test/check.h>

enum { PEER = 2 };

static uint8_t wire[REMOTE_MESSAGE_MAX];
static uint8_t got_bytes[REMOTE_MESSAGE_MAX];
static uint64_t charged_before;

static void session(void)
{
    static const uint64_t boot[2] = {7, 8};
    remote_session_begin(PEER, boot);
    charged_before = here_charged();
}

static void session_over(void)
{
    struct remote_counts counts;
    remote_session_end(PEER);
    remote_counts(PEER, &counts);
    CHECK_EQUAL(counts.calls_in, 0);
    CHECK_EQUAL(counts.calls_out, 0);
}

static bool peer_says(const struct remote_message *m)
{
    size_t bytes = remote_encode(m, wire, sizeof(wire));
    CHECK(bytes > 0);
    return remote_receive(PEER, wire, bytes);
}

/* The next message for the peer; kind 0: none. */
static struct remote_message peer_hears(void)
{
    struct remote_message m = {0};
    size_t bytes;
    const uint8_t *message = remote_next_outgoing(PEER, &bytes);
    if (!message)
        return m;
    CHECK(bytes > 0);
    memcpy(got_bytes, message, bytes);
    remote_outgoing_sent(PEER);
    CHECK(remote_decode(got_bytes, bytes, &m) == NULL);
    return m;
}

static struct handle_ref found_ref;
static err_t found_err;

static void found(void *context, err_t err, struct handle_ref *ref)
{
    found_err = err;
    found_ref = *ref;
}

/* A stand-in for the peer's export `index`. */
static struct handle_ref stand_in(uint32_t index)
{
    remote_find(PEER, "thing", found, NULL);
    struct remote_message m = peer_hears();
    CHECK_EQUAL(m.kind, REMOTE_FIND);
    m = (struct remote_message){.kind = REMOTE_FOUND, .call = m.call, .outcome = E_OK};
    m.handles[0] = (struct remote_handle){
        .whose = REMOTE_MINE, .type = OBJECT_ENDPOINT, .rights = RIGHT_CALL | RIGHT_DUP, .index = index};
    CHECK(peer_says(&m));
    CHECK_EQUAL(found_err, E_OK);
    return found_ref;
}

/* The peer asks for an offer of ours: its export index. */
static uint32_t offered(struct handle_ref endpoint)
{
    CHECK_EQUAL(remote_offer("here", 1, &endpoint), E_OK);
    struct remote_message m = {.kind = REMOTE_FIND, .call = 1};
    strcpy(m.name, "here");
    CHECK(peer_says(&m));
    m = peer_hears();
    CHECK_EQUAL(m.kind, REMOTE_FOUND);
    CHECK_EQUAL(m.outcome, E_OK);
    return m.handles[0].index;
}

static err_t ended_with;
static uint32_t ended;

static void call_ended(struct call *c, err_t err, struct ipc_message *answer)
{
    ended++;
    ended_with = err;
}

static const struct call_owner owner = {call_ended};

/* ---- calls of ours ---- */

static struct call *begin_call(struct handle_ref *target)
{
    struct call *c = calloc(1, sizeof(*c));
    call_init(c, &owner, NULL);
    c->tag = TAG(0x101, 1, 0, 0);
    CHECK_EQUAL(call_send(c, target), E_OK);
    return c;
}

static void test_given_up_after_the_last_handle(void)
{
    session();
    struct handle_ref target = stand_in(5);
    struct call *c = begin_call(&target);
    struct remote_message call = peer_hears();
    CHECK_EQUAL(call.kind, REMOTE_CALL);
    handle_ref_drop(&target);
    CHECK_EQUAL(peer_hears().kind, REMOTE_RELEASE);
    CHECK(call_cancel(c));
    free(c); /* nothing may know it any more */
    struct remote_message m = peer_hears();
    CHECK_EQUAL(m.kind, REMOTE_CANCEL);
    CHECK_EQUAL(m.call, call.call);
    m = (struct remote_message){.kind = REMOTE_ANSWER, .call = call.call, .outcome = E_OK};
    CHECK(peer_says(&m));
    session_over();
    CHECK_EQUAL(here_charged(), charged_before);
}

static void test_answered_after_the_last_handle(void)
{
    session();
    struct handle_ref target = stand_in(5);
    struct call *c = begin_call(&target);
    struct remote_message call = peer_hears(), m = {.kind = REMOTE_ANSWER, .call = call.call, .outcome = E_OK};
    handle_ref_drop(&target);
    ended = 0;
    CHECK(peer_says(&m));
    CHECK_EQUAL(ended, 1);
    CHECK_EQUAL(ended_with, E_OK);
    free(c);
    session_over();
    CHECK_EQUAL(here_charged(), charged_before);
}

/* A full queue: nothing has moved, the handle that was to go with the call is still the caller's. */
static void test_refused_before_anything_moved(void)
{
    static uint8_t bytes[IPC_BYTES_MAX];
    session();
    struct handle_ref target = stand_in(5);
    struct call call, *c = &call;
    struct remote_message m = {.kind = REMOTE_FIND};
    strcpy(m.name, "nowhere");
    struct remote_counts counts = {0};
    for (m.call = 0; counts.queued_bytes < REMOTE_QUEUE_BYTES; m.call++) {
        CHECK(peer_says(&m));
        remote_counts(PEER, &counts);
    }
    call_init(c, &owner, NULL);
    c->tag = TAG(0x101, 0, 1, IPC_BYTES_MAX);
    c->bytes = bytes;
    c->refs[0] = here_endpoint();
    CHECK_EQUAL(call_send(c, &target), E_NOT_DELIVERED);
    CHECK(c->refs[0].object != NULL && TAG_HANDLES(c->tag) == 1);
    handle_ref_drop(&c->refs[0]);
    remote_counts(PEER, &counts);
    CHECK_EQUAL(counts.exports, 0);
    handle_ref_drop(&target);
    session_over();
    CHECK_EQUAL(here_charged(), charged_before);
}

/* ---- calls of the peer ---- */

static struct call *served;

static err_t serve_later(struct endpoint *e, struct call *c)
{
    served = c;
    c->context = &served; /* the handler's from now on */
    return E_OK;
}

static void serve_no_more(struct endpoint *e, struct call *c)
{
    served = NULL;
}

static const struct endpoint_handler later = {.request = serve_later, .cancelled = serve_no_more};

static void test_a_kernel_service_answers_a_peer(void)
{
    session();
    struct remote_message m = {.kind = REMOTE_CALL, .call = 77, .tag = TAG(0x101, 1, 0, 0), .words = {5}};
    m.target = offered(here_served(&later));
    CHECK(peer_says(&m));
    CHECK(served != NULL);
    struct ipc_message answer = {.tag = TAG(0, 1, 0, 0), .words = {6}};
    (void)call_answer(served, &answer);
    m = peer_hears();
    CHECK_EQUAL(m.kind, REMOTE_ANSWER);
    CHECK_EQUAL(m.call, 77);
    CHECK_EQUAL(m.words[0], 6);
    session_over();
}

/* Through us to itself, as when one node passes on what it got from another. */
static void test_a_call_is_forwarded(void)
{
    session();
    struct remote_message m = {.kind = REMOTE_CALL, .call = 78, .tag = TAG(0x101, 1, 0, 0), .words = {5}};
    struct handle_ref target = stand_in(9);
    uint64_t number = remote_publish(&target);
    m.target = number;
    CHECK(peer_says(&m));
    struct remote_message on = peer_hears();
    CHECK_EQUAL(on.kind, REMOTE_CALL);
    CHECK_EQUAL(on.target, 9);
    m = (struct remote_message){.kind = REMOTE_ANSWER, .call = on.call, .tag = TAG(0, 1, 0, 0), .words = {6}};
    CHECK(peer_says(&m));
    m = peer_hears();
    CHECK_EQUAL(m.kind, REMOTE_ANSWER);
    CHECK_EQUAL(m.call, 78);
    CHECK_EQUAL(m.words[0], 6);
    remote_unpublish(number);
    session_over();
}

/* What came with a call that was never received is let go of. */
static void test_cancelled_in_the_queue(void)
{
    session();
    struct remote_message m = {.kind = REMOTE_CALL, .call = 79, .tag = TAG(0x101, 0, 1, 0)};
    m.target = offered(here_endpoint());
    m.handles[0] =
        (struct remote_handle){.whose = REMOTE_MINE, .type = OBJECT_ENDPOINT, .rights = RIGHT_CALL, .index = 11};
    CHECK(peer_says(&m));
    m = (struct remote_message){.kind = REMOTE_CANCEL, .call = 79};
    CHECK(peer_says(&m));
    m = peer_hears();
    CHECK_EQUAL(m.kind, REMOTE_RELEASE);
    CHECK_EQUAL(m.target, 11);
    CHECK_EQUAL(m.count, 1);
    session_over();
}

static void test_the_endpoint_ends_with_a_call_in_its_queue(void)
{
    session();
    struct remote_message m = {.kind = REMOTE_CALL, .call = 80, .tag = TAG(0x101, 0, 1, 0)};
    struct handle_ref endpoint = here_endpoint();
    struct handle_ref kept = handle_ref_dup(&endpoint, RIGHT_CALL);
    m.target = offered(kept);
    m.handles[0] =
        (struct remote_handle){.whose = REMOTE_MINE, .type = OBJECT_NOTIFICATION, .rights = RIGHT_SIGNAL, .index = 12};
    CHECK(peer_says(&m));
    handle_ref_drop(&endpoint); /* the only one that can receive */
    bool released = false, answered = false;
    for (m = peer_hears(); m.kind; m = peer_hears()) {
        released |= m.kind == REMOTE_RELEASE && m.target == 12;
        answered |= m.kind == REMOTE_ANSWER && m.call == 80 && m.outcome == E_GONE;
    }
    CHECK(released && answered);
    session_over();
}

/* ---- answers of ours ---- */

static struct object node_bound = {.type = OBJECT_MEMORY, .refs = 1};

static void test_an_answer_that_cannot_travel_leaves_no_export(void)
{
    session();
    struct remote_message m = {.kind = REMOTE_CALL, .call = 81, .tag = TAG(0x101, 0, 0, 0)};
    m.target = offered(here_served(&later));
    struct remote_counts before, after;
    remote_counts(PEER, &before);
    CHECK(peer_says(&m));
    struct ipc_message answer = {.tag = TAG(0, 0, 2, 0)};
    answer.handles[0] = here_endpoint();
    answer.handles[1] = handle_ref_make(&node_bound, NULL, 0);
    (void)call_answer(served, &answer);
    m = peer_hears();
    CHECK_EQUAL(m.kind, REMOTE_ANSWER);
    CHECK_EQUAL(m.outcome, E_NODE_BOUND);
    remote_counts(PEER, &after);
    CHECK_EQUAL(after.exports, before.exports);
    CHECK_EQUAL(node_bound.handles, 0);
    session_over();
}

/* The peer's own object goes back to it: it must hear of that before it hears that we hold it no more. */
static void test_an_answer_is_not_overtaken(void)
{
    session();
    struct remote_message m = {.kind = REMOTE_CALL, .call = 82, .tag = TAG(0x101, 0, 0, 0)};
    m.target = offered(here_served(&later));
    CHECK(peer_says(&m));
    struct ipc_message answer = {.tag = TAG(0, 0, 1, 0)};
    answer.handles[0] = stand_in(13);
    (void)call_answer(served, &answer);
    m = peer_hears();
    CHECK_EQUAL(m.kind, REMOTE_ANSWER);
    CHECK_EQUAL(m.handles[0].whose, REMOTE_YOURS);
    CHECK_EQUAL(m.handles[0].index, 13);
    CHECK_EQUAL(peer_hears().kind, REMOTE_RELEASE);
    session_over();
}

/* ---- handles to the cluster service ---- */

/* Passed on, it says what it permits and no export stands for it. */
static void test_the_service_travels_as_permissions(void)
{
    session();
    struct handle_ref target = stand_in(15);
    struct call c;
    call_init(&c, &owner, NULL);
    c.tag = TAG(0x101, 0, 1, 0);
    c.refs[0] = here_service(CLUSTER_MAY_READ | CLUSTER_MAY_LOCKS, "app/");
    CHECK_EQUAL(call_send(&c, &target), E_OK);
    struct remote_message m = peer_hears();
    CHECK_EQUAL(m.kind, REMOTE_CALL);
    CHECK_EQUAL(m.handles[0].whose, REMOTE_SERVICE);
    CHECK_EQUAL(m.handles[0].permitted.classes, CLUSTER_MAY_READ | CLUSTER_MAY_LOCKS);
    CHECK_STRING(m.handles[0].permitted.prefix, "app/");
    struct remote_counts counts;
    remote_counts(PEER, &counts);
    CHECK_EQUAL(counts.exports, 0);
    handle_ref_drop(&target);
    session_over();
    CHECK_EQUAL(here_charged(), charged_before);
}

static struct remote_message call_with_service(uint32_t target, uint32_t classes, uint32_t number)
{
    struct remote_message m = {.kind = REMOTE_CALL, .call = number, .tag = TAG(0x101, 0, 1, 0), .target = target};
    m.handles[0] =
        (struct remote_handle){REMOTE_SERVICE, OBJECT_ENDPOINT, RIGHT_CALL | RIGHT_TRANSFER, 0, {classes, 4, "app/"}};
    return m;
}

/* What a peer passes becomes a handle to the own service, with the same permissions; they are bounded, shared by all
 * that were passed the same, and freed with the last handle, which may outlive the session. */
static void test_the_service_arrives_as_the_own(void)
{
    struct handle_ref kept[AUTHORITY_PASSED_MAX] = {0}, again = {0};
    session();
    uint32_t target = offered(here_served(&later));
    uint64_t before = here_charged();
    for (uint32_t i = 0; i < AUTHORITY_PASSED_MAX; i++) {
        struct remote_message m = call_with_service(target, i + 1, 100 + i);
        CHECK(peer_says(&m));
        CHECK_EQUAL(call_take_handles(served, &kept[i]), E_OK);
        const struct permissions *permitted = authority_permissions(kept[i].object);
        CHECK(permitted && permitted->classes == i + 1);
        CHECK_STRING(permitted->prefix, "app/");
        CHECK_EQUAL(kept[i].rights, RIGHT_CALL | RIGHT_TRANSFER);
        call_fail(served, E_NOT_SUPPORTED);
        CHECK_EQUAL(peer_hears().kind, REMOTE_ANSWER);
    }
    struct remote_message m = call_with_service(target, AUTHORITY_PASSED_MAX + 1, 300);
    CHECK(peer_says(&m));
    m = peer_hears();
    CHECK_EQUAL(m.kind, REMOTE_ANSWER);
    CHECK_EQUAL(m.outcome, E_FULL);
    m = call_with_service(target, 7, 301);
    CHECK(peer_says(&m));
    CHECK_EQUAL(call_take_handles(served, &again), E_OK);
    CHECK(again.object == kept[6].object);
    session_over();
    handle_ref_drop(&again);
    for (uint32_t i = 0; i < AUTHORITY_PASSED_MAX; i++) {
        CHECK(authority_permissions(kept[i].object) != NULL);
        handle_ref_drop(&kept[i]);
    }
    CHECK(here_charged() <= before);
}

/* ---- a Reply that was passed on ---- */

static void test_a_reply_with_the_peer_when_the_link_ends(void)
{
    struct call c;
    struct handle_ref local = here_served(&later);
    session();
    struct handle_ref target = stand_in(14);
    call_init(&c, &owner, NULL);
    c.tag = TAG(0x101, 0, 0, 0);
    CHECK_EQUAL(call_send(&c, &local), E_OK);
    struct call carrier;
    call_init(&carrier, &owner, NULL);
    carrier.tag = TAG(0x102, 0, 1, 0);
    call_make_reply(&c, &carrier.refs[0]);
    CHECK_EQUAL(call_send(&carrier, &target), E_OK);
    CHECK_EQUAL(peer_hears().kind, REMOTE_CALL);
    ended = 0;
    remote_session_end(PEER);
    CHECK_EQUAL(ended, 2);
    CHECK_EQUAL(ended_with, E_UNKNOWN);
    handle_ref_drop(&target);
}

/* ---- a peer that takes nothing ---- */

static void test_a_flood_ends_the_session(void)
{
    session();
    struct remote_message m = {.kind = REMOTE_FIND};
    strcpy(m.name, "nowhere");
    uint32_t asked = 0;
    while (asked < 100000 && peer_says(&m))
        asked++;
    CHECK(asked < 10000);
    size_t bytes = 1;
    CHECK(remote_next_outgoing(PEER, &bytes) != NULL);
    CHECK_EQUAL(bytes, 0);
    session_over();
    CHECK_EQUAL(here_charged(), charged_before);
}

int main(void)
{
    here_init();
    RUN(test_given_up_after_the_last_handle);
    RUN(test_answered_after_the_last_handle);
    RUN(test_refused_before_anything_moved);
    RUN(test_a_kernel_service_answers_a_peer);
    RUN(test_a_call_is_forwarded);
    RUN(test_cancelled_in_the_queue);
    RUN(test_the_endpoint_ends_with_a_call_in_its_queue);
    RUN(test_an_answer_that_cannot_travel_leaves_no_export);
    RUN(test_an_answer_is_not_overtaken);
    RUN(test_the_service_travels_as_permissions);
    RUN(test_the_service_arrives_as_the_own);
    RUN(test_a_reply_with_the_peer_when_the_link_ends);
    RUN(test_a_flood_ends_the_session);
    return 0;
}
