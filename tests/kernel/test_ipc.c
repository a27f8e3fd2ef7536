/* Messages in all their forms: badges, bytes, handles, lent Memory, bound Notifications, and each way a call can end.
 */
#include "guest.h"

#include <base/mem.h>

/* A server thread that carries out what the op says. */
enum {
    DO_ECHO = 1,    /* words and bytes back */
    DO_DROP,        /* closes the Reply */
    DO_KEEP,        /* keeps the Reply in `kept` and goes on */
    DO_TAKE_HANDLE, /* keeps the handle it got in `kept` */
    DO_GIVE_HANDLE, /* answers with a handle to `gift` */
    DO_LENT_SUM,    /* reads the lent range, answers the sum of its bytes */
    DO_LENT_FILL,   /* fills the lent range with the first word */
    DO_STOP = 0xffff,
};

struct server {
    handle_t endpoint, gift;
    volatile handle_t kept;
    volatile uint64_t closed_badge, closed_count, bits, lent_error;
    struct guest_thread thread;
    struct ipc_buffer *ipc;
};

static void serve_lent(struct server *s, struct message *m, handle_t reply)
{
    static uint8_t bytes[IPC_LENT_MAX];
    uint64_t length = s->ipc->lent_length, done = 0, sum = 0;
    if (TAG_OP(m->tag) == DO_LENT_FILL) {
        memset(bytes, (int)m->words[0], length);
        s->lent_error = os_memory_rw(reply, 0, bytes, length, IPC_LEND_OUT, &done);
        m->words[0] = done;
        return;
    }
    s->lent_error = os_memory_rw(reply, 0, bytes, length, IPC_LEND_IN, &done);
    for (uint64_t i = 0; i < done; i++)
        sum += bytes[i];
    m->words[0] = sum;
}

/* The answer to *m; false: there shall be none now. */
static bool serve(struct server *s, struct message *m, handle_t reply)
{
    uint32_t op = TAG_OP(m->tag), bytes = TAG_BYTES(m->tag);
    switch (op) {
    case DO_DROP:
        os_handle_close(reply);
        return false;
    case DO_KEEP:
        s->kept = reply;
        return false;
    case DO_TAKE_HANDLE:
        s->kept = s->ipc->handles[0];
        break;
    case DO_GIVE_HANDLE:
        s->ipc->handles[0] = s->gift;
        m->tag = TAG(E_OK, 1, 1, 0);
        return true;
    case DO_LENT_SUM:
    case DO_LENT_FILL:
        serve_lent(s, m, reply);
        bytes = 0;
        break;
    }
    m->tag = TAG(E_OK, 6, 0, bytes);
    return true;
}

static void server_main(void *argument, struct ipc_buffer *ipc)
{
    struct server *s = argument;
    handle_t reply = HANDLE_NONE;
    struct message m = {0};
    uint64_t badge;
    s->ipc = ipc;
    while (os_reply_recv(reply, s->endpoint, &m, &reply, &badge, DEADLINE_NEVER) == E_OK) {
        if (m.tag & TAG_NOTIFICATION) {
            s->bits |= m.words[0];
        } else if (m.tag & TAG_KERNEL) {
            s->closed_badge = badge;
            s->closed_count++;
        } else {
            bool stop = TAG_OP(m.tag) == DO_STOP;
            m.words[5] = badge;
            if (!serve(s, &m, reply))
                reply = HANDLE_NONE;
            if (!stop)
                continue;
            os_reply(reply, &m);
            return;
        }
        reply = HANDLE_NONE;
    }
}

static void server_start(struct server *s)
{
    *s = (struct server){.endpoint = guest_create(OBJECT_ENDPOINT, 0, 0, 0)};
    guest_thread_start(&s->thread, 0, server_main, s);
}

static err_t op_call(handle_t e, uint32_t op, uint64_t word, uint64_t deadline, struct message *m)
{
    *m = (struct message){TAG(op, 6, 0, 0), {word, 2, 3, 4, 5, 6}};
    return os_call(e, m, deadline);
}

static void server_stop(struct server *s)
{
    struct message m;
    OK(op_call(s->endpoint, DO_STOP, 0, now() + 10 * SECOND, &m));
    guest_thread_join(&s->thread);
    guest_close(s->endpoint);
}

/* ---- tests ---- */

static void inline_bytes(void)
{
    struct server s;
    server_start(&s);
    for (uint32_t n = 0; n <= IPC_BYTES_MAX; n += n < 64 ? 7 : 1008) {
        for (uint32_t i = 0; i < n; i++)
            guest.ipc->bytes[i] = (uint8_t)(i * 7 + n);
        struct message m = {TAG(DO_ECHO, 1, 0, n), {n}};
        OK(os_call(s.endpoint, &m, DEADLINE_NEVER));
        CHECK_EQ(TAG_BYTES(m.tag), n);
        bool same = true;
        for (uint32_t i = 0; i < n; i++)
            same = same && guest.ipc->bytes[i] == (uint8_t)(i * 7 + n);
        CHECK(same);
    }
    server_stop(&s);
}

static void badges_and_their_end(void)
{
    struct server s;
    struct message m;
    handle_t a, b, unused;
    server_start(&s);
    OK(os_handle_mint(s.endpoint, 100, RIGHTS_ALL, &a));
    OK(os_handle_dup(a, RIGHTS_ALL, &b));
    OK(op_call(b, DO_ECHO, 0, DEADLINE_NEVER, &m));
    CHECK_EQ(m.words[5], 100);
    guest_close(a);
    OK(op_call(b, DO_ECHO, 0, DEADLINE_NEVER, &m));
    CHECK_EQ(s.closed_count, 0);
    guest_close(b);
    OK(os_handle_mint(s.endpoint, 101, RIGHTS_ALL, &unused));
    OK(op_call(s.endpoint, DO_ECHO, 0, DEADLINE_NEVER, &m));
    CHECK_EQ(s.closed_count, 1);
    CHECK_EQ(s.closed_badge, 100);
    guest_close(unused);
    OK(op_call(s.endpoint, DO_ECHO, 0, DEADLINE_NEVER, &m));
    CHECK_EQ(s.closed_count, 2);
    CHECK_EQ(s.closed_badge, 101);
    struct handle_info info;
    OK(os_handle_mint(s.endpoint, 5, RIGHTS_ALL, &a));
    OK(os_handle_info(a, &info));
    CHECK_EQ(info.badge, 5);
    CHECK_EQ(info.rights & RIGHT_RECV, 0);
    CHECK_EQ(os_handle_mint(a, 6, RIGHTS_ALL, &b), E_NO_RIGHT);
    guest_close(a);
    server_stop(&s);
}

static void revoked_badge(void)
{
    struct server s;
    struct message m;
    handle_t a, b;
    server_start(&s);
    OK(os_handle_mint(s.endpoint, 9, RIGHTS_ALL, &a));
    OK(os_handle_dup(a, RIGHTS_ALL, &b));
    OK(os_handle_revoke(s.endpoint, 9));
    CHECK_EQ(op_call(a, DO_ECHO, 0, DEADLINE_NEVER, &m), E_GONE);
    CHECK_EQ(op_call(b, DO_ECHO, 0, DEADLINE_NEVER, &m), E_GONE);
    guest_close(a);
    guest_close(b);
    OK(op_call(s.endpoint, DO_ECHO, 0, DEADLINE_NEVER, &m));
    CHECK_EQ(s.closed_count, 1);
    server_stop(&s);
}

static void dropped_and_gone(void)
{
    struct server s;
    struct message m;
    server_start(&s);
    CHECK_EQ(op_call(s.endpoint, DO_DROP, 0, DEADLINE_NEVER, &m), E_DROPPED);
    handle_t caller;
    OK(os_handle_dup(s.endpoint, RIGHT_CALL, &caller));
    server_stop(&s); /* closes the only handle that can receive */
    CHECK_EQ(op_call(caller, DO_ECHO, 0, DEADLINE_NEVER, &m), E_GONE);
    guest_close(caller);
}

static void call_with_nobody_there(void)
{
    handle_t e = guest_create(OBJECT_ENDPOINT, 0, 0, 0);
    struct message m;
    CHECK_EQ(op_call(e, DO_ECHO, 0, DEADLINE_POLL, &m), E_NOT_DELIVERED);
    CHECK_EQ(op_call(e, DO_ECHO, 0, now() + 5 * MS, &m), E_NOT_DELIVERED);
    handle_t reply;
    uint64_t badge;
    CHECK_EQ(os_recv(e, &m, &reply, &badge, DEADLINE_POLL), E_TIMED_OUT);
    CHECK_EQ(os_recv(e, &m, &reply, &badge, now() + 5 * MS), E_TIMED_OUT);
    guest_close(e);
}

static void answer_after_the_deadline(void)
{
    struct server s;
    struct message m;
    server_start(&s);
    handle_t n = guest_create(OBJECT_NOTIFICATION, 0, 0, 0);
    OK(os_control(s.endpoint, OP_ENDPOINT_BIND, n, 0, 0, 0).err);
    CHECK_EQ(op_call(s.endpoint, DO_KEEP, 0, now() + 20 * MS, &m), E_UNKNOWN);
    OK(op_call(s.endpoint, DO_ECHO, 0, DEADLINE_NEVER, &m));
    CHECK_EQ(s.bits, NOTIFY_REPLY_CANCELLED);
    struct sys_result r = os_control(s.kept, OP_REPLY_INFO, 0, 0, 0, 0);
    CHECK_EQ(r.err, E_OK);
    CHECK_EQ(r.value, 0);
    m.tag = TAG(E_OK, 0, 0, 0);
    CHECK_EQ(os_reply(s.kept, &m), E_GONE);
    CHECK_EQ(os_reply(s.kept, &m), E_BAD_HANDLE);
    OK(os_control(s.endpoint, OP_ENDPOINT_BIND, 0, 0, 0, 0).err);
    guest_close(n);
    server_stop(&s);
}

static void bound_notification(void)
{
    struct server s;
    struct message m;
    server_start(&s);
    handle_t n = guest_create(OBJECT_NOTIFICATION, 0, 0, 0), e = guest_create(OBJECT_ENDPOINT, 0, 0, 0);
    OK(os_signal(n, 1));
    OK(os_control(s.endpoint, OP_ENDPOINT_BIND, n, 0, 0, 0).err);
    CHECK_EQ(os_control(e, OP_ENDPOINT_BIND, n, 0, 0, 0).err, E_BUSY);
    OK(os_signal(n, 2));
    OK(op_call(s.endpoint, DO_ECHO, 0, DEADLINE_NEVER, &m));
    CHECK_EQ(s.bits, 3);
    guest_close(n); /* the endpoint still holds it */
    OK(op_call(s.endpoint, DO_ECHO, 0, DEADLINE_NEVER, &m));
    guest_close(e);
    server_stop(&s);
}

static void handles_travel(void)
{
    struct server s;
    server_start(&s);
    handle_t n = guest_create(OBJECT_NOTIFICATION, 0, 0, 0);
    guest.ipc->handles[0] = n;
    struct message m = {TAG(DO_TAKE_HANDLE, 0, 1, 0), {0}};
    OK(os_call(s.endpoint, &m, DEADLINE_NEVER));
    CHECK(s.kept != HANDLE_NONE && s.kept != n);
    OK(os_signal(s.kept, 8));
    uint64_t bits;
    OK(os_wait(n, 8, DEADLINE_POLL, &bits));
    guest_close(s.kept);
    s.gift = n;
    m = (struct message){TAG(DO_GIVE_HANDLE, 0, 0, 0), {0}};
    OK(os_call(s.endpoint, &m, DEADLINE_NEVER));
    CHECK_EQ(TAG_HANDLES(m.tag), 1);
    OK(os_signal(guest.ipc->handles[0], 16));
    guest_close(guest.ipc->handles[0]);
    OK(os_wait(n, 16, DEADLINE_POLL, &bits));
    handle_t bound;
    OK(os_handle_dup(n, RIGHT_SIGNAL, &bound)); /* may not travel */
    guest.ipc->handles[0] = bound;
    m = (struct message){TAG(DO_TAKE_HANDLE, 0, 1, 0), {0}};
    CHECK_EQ(os_call(s.endpoint, &m, DEADLINE_NEVER), E_NO_RIGHT);
    guest.ipc->handles[0] = 12345;
    CHECK_EQ(os_call(s.endpoint, &m, DEADLINE_NEVER), E_BAD_HANDLE);
    guest_close(bound);
    guest_close(n);
    server_stop(&s);
}

static void keep_caller(void *argument, struct ipc_buffer *ipc)
{
    struct server *s = argument;
    struct message m;
    CHECK_EQ(op_call(s->endpoint, DO_KEEP, 0, DEADLINE_NEVER, &m), E_OK);
    CHECK_EQ(m.words[0], 99);
}

/* A Reply is moved through another endpoint and answered from there. */
static void a_reply_travels(void)
{
    struct server s;
    struct guest_thread t;
    server_start(&s);
    guest_thread_start(&t, 1, keep_caller, &s);
    while (s.kept == HANDLE_NONE)
        os_yield();
    handle_t reply = s.kept;
    guest.ipc->handles[0] = reply;
    struct message m = {TAG(DO_TAKE_HANDLE, 0, 1, 0), {0}};
    OK(os_call(s.endpoint, &m, DEADLINE_NEVER));
    CHECK(s.kept != reply);
    CHECK_EQ(os_control(reply, OP_REPLY_INFO, 0, 0, 0, 0).err, E_BAD_HANDLE); /* it moved */
    CHECK_EQ(os_control(s.kept, OP_REPLY_INFO, 0, 0, 0, 0).value, 1);
    m = (struct message){TAG(E_OK, 1, 0, 0), {99}};
    OK(os_reply(s.kept, &m));
    guest_thread_join(&t);
    server_stop(&s);
}

static void keep_caller_thrice(void *argument, struct ipc_buffer *ipc)
{
    struct server *s = argument;
    struct message m;
    for (uint32_t i = 0; i < 3; i++)
        OK(op_call(s->endpoint, DO_KEEP, 0, DEADLINE_NEVER, &m));
}

/* Each Reply is an object of its own, also those of one caller to one server, which meet without a queue between. */
static void a_number_for_each_reply(void)
{
    struct server s;
    struct guest_thread t;
    struct handle_info info;
    uint64_t last = 0;
    server_start(&s);
    guest_thread_start(&t, 1, keep_caller_thrice, &s);
    for (uint32_t i = 0; i < 3; i++) {
        while (s.kept == HANDLE_NONE)
            os_yield();
        handle_t reply = s.kept;
        s.kept = HANDLE_NONE;
        OK(os_handle_info(reply, &info));
        CHECK_EQ(info.type, OBJECT_REPLY);
        CHECK(info.serial > last);
        last = info.serial;
        struct message m = {TAG(E_OK, 0, 0, 0), {0}};
        OK(os_reply(reply, &m));
    }
    guest_thread_join(&t);
    server_stop(&s);
}

static void lent_memory(void)
{
    struct server s;
    server_start(&s);
    handle_t memory = guest_create(OBJECT_MEMORY, 3 * PAGE_BYTES, 0, 0);
    uint8_t *bytes = guest_map(memory, 3 * PAGE_BYTES, VM_READ | VM_WRITE);
    memset(bytes, 3, 3 * PAGE_BYTES);
    guest.ipc->lent_memory = memory;
    guest.ipc->lent_offset = 100;
    guest.ipc->lent_length = 2 * PAGE_BYTES;
    guest.ipc->lent_direction = IPC_LEND_IN;
    struct message m = {TAG(DO_LENT_SUM, 1, 0, 0) | TAG_LENT, {0}};
    OK(os_call(s.endpoint, &m, DEADLINE_NEVER));
    CHECK_EQ(s.lent_error, E_OK);
    CHECK_EQ(m.words[0], 3 * 2 * PAGE_BYTES);
    m = (struct message){TAG(DO_LENT_FILL, 1, 0, 0) | TAG_LENT, {7}};
    OK(os_call(s.endpoint, &m, DEADLINE_NEVER)); /* against the direction */
    CHECK_EQ(s.lent_error, E_NO_RIGHT);
    guest.ipc->lent_direction = IPC_LEND_OUT;
    m = (struct message){TAG(DO_LENT_FILL, 1, 0, 0) | TAG_LENT, {7}};
    OK(os_call(s.endpoint, &m, DEADLINE_NEVER));
    CHECK_EQ(s.lent_error, E_OK);
    CHECK_EQ(bytes[99], 3);
    CHECK_EQ(bytes[100], 7);
    CHECK_EQ(bytes[99 + 2 * PAGE_BYTES], 7);
    CHECK_EQ(bytes[100 + 2 * PAGE_BYTES], 3);
    m = (struct message){TAG(DO_LENT_FILL, 1, 0, 0), {7}};
    OK(os_call(s.endpoint, &m, DEADLINE_NEVER)); /* nothing is lent: what was lent last does not count */
    CHECK_EQ(s.lent_error, E_NO_RIGHT);
    m = (struct message){TAG(DO_LENT_FILL, 1, 0, 0) | TAG_LENT, {7}};
    guest.ipc->lent_length = 3 * PAGE_BYTES;
    CHECK_EQ(os_call(s.endpoint, &m, DEADLINE_NEVER), E_RANGE);
    guest.ipc->lent_length = UINT64_MAX;
    CHECK_EQ(os_call(s.endpoint, &m, DEADLINE_NEVER), E_RANGE);
    guest.ipc->lent_direction = 8;
    CHECK_EQ(os_call(s.endpoint, &m, DEADLINE_NEVER), E_INVALID);
    guest_unmap(bytes, 3 * PAGE_BYTES);
    guest_close(memory);
    server_stop(&s);
}

static volatile err_t interrupted_with;
static void waits_for_ever(void *argument, struct ipc_buffer *ipc)
{
    uint64_t bits;
    interrupted_with = os_wait((handle_t)(uint64_t)argument, 1, DEADLINE_NEVER, &bits);
}

static uint32_t thread_state(handle_t thread)
{
    struct thread_info info;
    OK(os_control(thread, OP_THREAD_INFO, (uint64_t)&info, 0, 0, 0).err);
    return info.state;
}

static void interrupted_wait(void)
{
    handle_t n = guest_create(OBJECT_NOTIFICATION, 0, 0, 0);
    struct guest_thread t;
    guest_thread_start(&t, 1, waits_for_ever, (void *)(uint64_t)n);
    while (thread_state(t.handle) != 2)
        os_yield();
    OK(os_control(t.handle, OP_THREAD_INTERRUPT, 0, 0, 0, 0).err);
    guest_thread_join(&t);
    CHECK_EQ(interrupted_with, E_INTERRUPTED);
    guest_close(n);
}

static void calls_and_is_killed(struct guest_child_page *page)
{
    struct message m;
    op_call(page->handles[0], DO_KEEP, 0, DEADLINE_NEVER, &m);
}

static void the_caller_dies(void)
{
    struct server s;
    struct message m;
    struct guest_child c;
    server_start(&s);
    handle_t n = guest_create(OBJECT_NOTIFICATION, 0, 0, 0);
    OK(os_control(s.endpoint, OP_ENDPOINT_BIND, n, 0, 0, 0).err);
    guest_child_create(&c, guest.budget, calls_and_is_killed);
    guest_child_give(&c, s.endpoint, RIGHT_CALL);
    guest_child_start(&c);
    while (s.kept == HANDLE_NONE)
        os_yield();
    CHECK_EQ(os_control(s.kept, OP_REPLY_INFO, 0, 0, 0, 0).value, 1);
    OK(os_control(c.process, OP_PROCESS_KILL, EXIT_KILLED, 15, 0, 0).err);
    struct process_info info = guest_child_wait(&c);
    CHECK_EQ(info.cause, EXIT_KILLED);
    CHECK_EQ(info.code, 15);
    CHECK_EQ(os_control(s.kept, OP_REPLY_INFO, 0, 0, 0, 0).value, 0);
    guest_close(s.kept);
    OK(op_call(s.endpoint, DO_ECHO, 0, DEADLINE_NEVER, &m));
    CHECK_EQ(s.bits, NOTIFY_REPLY_CANCELLED);
    guest_close(n);
    server_stop(&s);
}

static void child_receives_and_ends(struct guest_child_page *page)
{
    struct message m;
    handle_t reply;
    uint64_t badge;
    os_recv(page->handles[0], &m, &reply, &badge, DEADLINE_NEVER);
}

static void the_server_dies(void)
{
    struct guest_child c;
    struct message m;
    handle_t e = guest_create(OBJECT_ENDPOINT, 0, 0, 0), caller;
    OK(os_handle_dup(e, RIGHT_CALL, &caller));
    guest_child_create(&c, guest.budget, child_receives_and_ends);
    guest_child_give(&c, e, RIGHTS_ALL);
    guest_close(e);
    guest_child_start(&c);
    CHECK_EQ(op_call(caller, DO_ECHO, 0, DEADLINE_NEVER, &m), E_GONE); /* it had it, and ended */
    CHECK_EQ(op_call(caller, DO_ECHO, 0, DEADLINE_NEVER, &m), E_GONE);
    guest_child_wait(&c);
    guest_close(caller);
}

static void malformed_tags(void)
{
    struct server s;
    server_start(&s);
    static const uint64_t bad[] = {TAG(1, 7, 0, 0),
                                   TAG(1, 0, 5, 0),
                                   TAG(1, 0, 0, 0) | TAG_KERNEL,
                                   TAG(1, 0, 0, 0) | TAG_REMOTE,
                                   TAG(1, 0, 0, 0) | TAG_NOTIFICATION,
                                   1ull << 48,
                                   1ull << 63,
                                   TAG(1, 0, 0, 0) | 1u << 23};
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct message m = {bad[i], {0}};
        CHECK_EQ(os_call(s.endpoint, &m, DEADLINE_NEVER), E_INVALID);
    }
    struct message m = {TAG(1, 0, 0, IPC_BYTES_MAX + 1), {0}};
    CHECK_EQ(os_call(s.endpoint, &m, DEADLINE_NEVER), E_TOO_LONG);
    server_stop(&s);
}

/* A call to oneself through a full handle table cannot be delivered. */
static void no_room_for_handles(void)
{
    struct server s;
    server_start(&s);
    handle_t n = guest_create(OBJECT_NOTIFICATION, 0, 0, 0);
    static handle_t copies[HANDLES_MAX];
    uint32_t count = 0;
    while (os_handle_dup(n, RIGHTS_ALL, &copies[count]) == E_OK)
        count++;
    CHECK(count > HANDLES_MAX - 64);
    CHECK_EQ(os_handle_dup(n, RIGHTS_ALL, &copies[count]), E_FULL);
    struct message m;
    CHECK_EQ(op_call(s.endpoint, DO_ECHO, 0, DEADLINE_NEVER, &m), E_FULL);
    while (count > 0)
        guest_close(copies[--count]);
    OK(op_call(s.endpoint, DO_ECHO, 0, DEADLINE_NEVER, &m));
    guest_close(n);
    server_stop(&s);
}

const struct guest_test guest_tests[] = {
    {"inline bytes", inline_bytes},
    {"badges, and IPC_CLOSED once for each mint", badges_and_their_end},
    {"a revoked badge", revoked_badge},
    {"dropped, and gone", dropped_and_gone},
    {"nobody there", call_with_nobody_there},
    {"an answer after the deadline", answer_after_the_deadline},
    {"a bound Notification", bound_notification},
    {"handles travel", handles_travel},
    {"a Reply travels", a_reply_travels},
    {"a number for each Reply", a_number_for_each_reply},
    {"lent Memory", lent_memory},
    {"an interrupted wait", interrupted_wait},
    {"the caller dies", the_caller_dies},
    {"the server dies", the_server_dies},
    {"malformed tags", malformed_tags},
    {"no room for handles", no_room_for_handles},
};
const uint32_t guest_test_count = sizeof(guest_tests) / sizeof(guest_tests[0]);
