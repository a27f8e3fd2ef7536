/* call_client NAME basics                    every form of call to a call_server, wherever it runs
 * call_client NAME storm FIRST MS TAKES_MS   calls with ids from FIRST on for MS milliseconds, each sent once; then
 * says how each ended, as one JSON line with the ids of every outcome call_client NAME judge                     reads
 * such lines from standard input and asks the server how often each id was executed: done means once, never delivered
 * means not at all, else at most once
 */
#include "call_protocol.h"

#include <idl/cluster.h>
#include <os/memory.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <os/thread.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static handle_t server;
static uint32_t passed, failed;

static void check(bool good, const char *what, err_t err)
{
    passed += good;
    failed += !good;
    printf("%s %s%s\n", good ? "ok" : "not ok", what, good ? "" : ":");
    if (!good)
        printf("  error %u\n", err);
}

static err_t find(const char *name)
{
    return cluster_name_lookup(os_startup_handle(STARTUP_CLUSTER), os_deadline_ms(10000), name, &server);
}

static err_t call(uint32_t op, uint64_t a, uint64_t b, uint64_t ms, struct message *m)
{
    *m = (struct message){.tag = TAG(op, 2, 0, 0), .words = {a, b}};
    err_t err = os_call(server, m, os_deadline_ms(ms));
    return err ? err : TAG_OP(m->tag);
}

/* ---- basics ---- */

static handle_t own_endpoint;

/* The other side of handles that were passed: answers with a number, or uses the Reply that it is given. */
static void answer_back(void *argument)
{
    struct message m = {0};
    handle_t reply = HANDLE_NONE;
    uint64_t badge;
    while (os_reply_recv(reply, own_endpoint, &m, &reply, &badge, DEADLINE_NEVER) == E_OK) {
        if (!reply)
            continue;
        if (TAG_OP(m.tag) == CALL_BACK_REPLY && TAG_HANDLES(m.tag) == 1) {
            struct message forwarded = {.tag = TAG(E_OK, 1, 0, 0), .words = {CALL_FORWARDED}};
            (void)os_reply(os_ipc_buffer()->handles[0], &forwarded);
        }
        m = (struct message){.tag = TAG(E_OK, 1, 0, 0), .words = {CALL_BACK_ANSWER}};
    }
}

static void plain_calls(void)
{
    struct message m;
    err_t err = call(CALL_TEST_ADD, 7, 0, 5000, &m);
    check(err == E_OK && m.words[0] == 1, "a call is executed once", err);
    err = call(CALL_TEST_ADD, CALL_TEST_IDS_MAX, 0, 5000, &m);
    check(err == E_RANGE, "the service's own error comes back", err);
    err = call(CALL_TEST_DROP, 0, 0, 5000, &m);
    check(err == E_DROPPED, "a dropped Reply is told as such", err);
    err = call(CALL_TEST_ADD, 8, 2000, 100, &m);
    check(err == E_UNKNOWN, "a deadline after delivery is an unknown outcome", err);
    err = call(CALL_TEST_COUNT, 8, 0, 10000, &m);
    check(err == E_OK && m.words[0] == 1, "and it was executed once", err);
}

static void passed_handles(void)
{
    handle_t client = HANDLE_NONE, notification = HANDLE_NONE;
    struct os_thread *thread;
    uint64_t bits = 0;
    err_t err = os_create(os_budget(), OBJECT_ENDPOINT, 0, 0, 0, &own_endpoint);
    if (!err)
        err = os_handle_mint(own_endpoint, 1, RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER, &client);
    if (!err)
        err = os_create(os_budget(), OBJECT_NOTIFICATION, 0, 0, 0, &notification);
    if (!err)
        err = os_thread_create(answer_back, NULL, 0, 0, &thread);
    check(err == E_OK, "an endpoint, a notification and a thread are made", err);
    struct message m = {.tag = TAG(CALL_TEST_HANDLES, 0, 2, 0)};
    os_ipc_buffer()->handles[0] = client;
    os_ipc_buffer()->handles[1] = notification;
    err = os_call(server, &m, os_deadline_ms(10000));
    check(err == E_OK && TAG_OP(m.tag) == E_OK && m.words[0] == CALL_BACK_ANSWER, "a passed endpoint is called back",
          err);
    err = os_wait(notification, CALL_BACK_BITS, os_deadline_ms(10000), &bits);
    check(err == E_OK && bits == CALL_BACK_BITS, "a passed notification is signalled", err);
    m = (struct message){.tag = TAG(CALL_TEST_FORWARD, 0, 1, 0)};
    os_ipc_buffer()->handles[0] = client;
    err = os_call(server, &m, os_deadline_ms(10000));
    check(err == E_OK && m.words[0] == CALL_FORWARDED, "a passed Reply answers its caller", err);
    handle_t memory;
    err = os_create(os_budget(), OBJECT_MEMORY, PAGE_BYTES, 0, 0, &memory);
    m = (struct message){.tag = TAG(CALL_TEST_HANDLES, 0, 1, 0)};
    os_ipc_buffer()->handles[0] = memory;
    err = os_call(server, &m, os_deadline_ms(10000));
    check(err == E_NODE_BOUND || (err == E_OK && TAG_OP(m.tag) == E_INVALID), "Memory stays on its node", err);
}

static void lent_memory(void)
{
    static uint8_t data[IPC_LENT_MAX];
    handle_t memory;
    uint64_t done;
    for (uint32_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    err_t err = os_create(os_budget(), OBJECT_MEMORY, sizeof data, 0, 0, &memory);
    if (!err)
        err = os_memory_rw(memory, 0, data, sizeof data, IPC_LEND_OUT, &done);
    struct message m = {.tag = TAG(CALL_TEST_LENT, 0, 0, 0) | TAG_LENT};
    struct ipc_buffer *ipc = os_ipc_buffer();
    ipc->lent_memory = memory;
    ipc->lent_direction = IPC_LEND_IN | IPC_LEND_OUT;
    ipc->lent_offset = 0;
    ipc->lent_length = sizeof data;
    if (!err)
        err = os_call(server, &m, os_deadline_ms(10000));
    if (!err)
        err = TAG_OP(m.tag);
    if (!err)
        err = os_memory_rw(memory, 0, data, sizeof data, IPC_LEND_IN, &done);
    bool right = err == E_OK;
    for (uint32_t i = 0; i < sizeof data && right; i++)
        right = data[i] == (uint8_t)(i * 7 + 1);
    check(right, "64 KiB of lent Memory are read and written", err);
}

static int basics(void)
{
    plain_calls();
    passed_handles();
    lent_memory();
    printf("%u passed, %u failed\n", passed, failed);
    return failed ? 1 : 0;
}

/* ---- storm ---- */

static const char *outcome_name(err_t err)
{
    switch (err) {
    case E_OK:
        return "ok";
    case E_NOT_DELIVERED:
        return "not_delivered";
    case E_UNKNOWN:
        return "unknown";
    case E_GONE:
        return "gone";
    case E_DROPPED:
        return "dropped";
    default:
        return "other";
    }
}

static int storm(const char *name, uint64_t id, uint64_t ms, uint64_t takes_ms)
{
    uint64_t end = os_deadline_ms(ms);
    uint32_t word = 0;
    printf("{");
    for (const char *comma = ""; os_clock(CLOCK_ID_MONOTONIC_NS) < end && id < CALL_TEST_IDS_MAX; id++, comma = ",") {
        struct message m;
        err_t err = call(CALL_TEST_ADD, id, takes_ms, 1000, &m);
        printf("%s\"%llu\":\"%s\"", comma, (unsigned long long)id, outcome_name(err));
        if (err && err != E_UNKNOWN)
            (void)os_futex_wait(&word, 0, os_deadline_ms(20));
        if (err == E_GONE) { /* as a client does: look for the service's next life */
            os_handle_close(server);
            while (find(name) != E_OK && os_clock(CLOCK_ID_MONOTONIC_NS) < end)
                (void)os_futex_wait(&word, 0, os_deadline_ms(50));
        }
    }
    printf("}\n");
    return 0;
}

/* ---- judge ---- */

/* Complaints about one id. */
static uint32_t judge_one(uint64_t id, const char *outcome)
{
    struct message m;
    err_t err = call(CALL_TEST_COUNT, id, 0, 10000, &m);
    uint64_t count = m.words[0];
    bool wrong = err || count > 1 || (strcmp(outcome, "ok") == 0 && count != 1) ||
                 (strcmp(outcome, "not_delivered") == 0 && count != 0);
    if (wrong)
        printf("id %llu ended %s and was executed %llu times (error %u)\n", (unsigned long long)id, outcome,
               (unsigned long long)count, err);
    return wrong;
}

static int judge(void)
{
    unsigned long long id;
    char outcome[32];
    uint32_t wrong = 0, judged = 0;
    for (int c; (c = getchar()) != EOF;) {
        if (c != '"' || scanf("%llu\":\"%31[a-z_]\"", &id, outcome) != 2)
            continue;
        wrong += judge_one(id, outcome);
        judged++;
    }
    printf("%u calls judged, %u wrong\n", judged, wrong);
    return wrong || judged == 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[2] : "";
    if (argc < 3) {
        fprintf(stderr, "call_client: usage: call_client NAME basics | storm FIRST MS TAKES_MS | judge\n");
        return 2;
    }
    err_t err = find(argv[1]);
    if (err) {
        fprintf(stderr, "call_client: %s is not found: error %u\n", argv[1], err);
        return 1;
    }
    if (strcmp(what, "basics") == 0)
        return basics();
    if (strcmp(what, "storm") == 0 && argc == 6)
        return storm(argv[1], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10), strtoull(argv[5], NULL, 10));
    if (strcmp(what, "judge") == 0)
        return judge();
    fprintf(stderr, "call_client: %s is not known\n", what);
    return 2;
}
