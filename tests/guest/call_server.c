/* call_server NAME: answers the calls of call_client under a cluster-wide name, and counts how often each was executed.
 */
#include "call_protocol.h"

#include <idl/cluster.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <os/thread.h>

#include <stdio.h>
#include <string.h>

static uint8_t executed[CALL_TEST_IDS_MAX];
static uint64_t executed_all, executed_most;

static void take_ms(uint64_t ms)
{
    uint32_t word = 0;
    if (ms > 0)
        (void)os_futex_wait(&word, 0, os_deadline_ms(ms));
}

static err_t add(struct message *m)
{
    uint64_t id = m->words[0];
    if (id >= CALL_TEST_IDS_MAX)
        return E_RANGE;
    executed[id]++;
    executed_all++;
    if (executed[id] > executed_most)
        executed_most = executed[id];
    take_ms(m->words[1]);
    m->words[0] = executed[id];
    return E_OK;
}

/* Asks the caller's endpoint for a number and signals its notification. */
static err_t use_handles(struct message *m)
{
    struct ipc_buffer *ipc = os_ipc_buffer();
    if (TAG_HANDLES(m->tag) != 2)
        return E_INVALID;
    handle_t endpoint = ipc->handles[0], notification = ipc->handles[1];
    struct message ask = {.tag = TAG(CALL_BACK_NUMBER, 0, 0, 0)};
    err_t err = os_call(endpoint, &ask, os_deadline_ms(5000));
    if (!err)
        err = os_signal(notification, CALL_BACK_BITS);
    m->words[0] = ask.words[0];
    os_handle_close(endpoint);
    os_handle_close(notification);
    return err;
}

/* True: the Reply has gone on its way. */
static bool forward(handle_t reply, struct message *m)
{
    struct ipc_buffer *ipc = os_ipc_buffer();
    if (TAG_HANDLES(m->tag) != 1)
        return false;
    handle_t endpoint = ipc->handles[0];
    struct message pass = {.tag = TAG(CALL_BACK_REPLY, 0, 1, 0)};
    ipc->handles[0] = reply;
    err_t err = os_call(endpoint, &pass, os_deadline_ms(5000));
    os_handle_close(endpoint);
    return err == E_OK;
}

static err_t raise_lent(handle_t reply)
{
    static uint8_t data[IPC_LENT_MAX];
    uint64_t length = os_ipc_buffer()->lent_length, done;
    err_t err = os_memory_rw(reply, 0, data, length, IPC_LEND_IN, &done);
    for (uint64_t i = 0; i < length; i++)
        data[i]++;
    return err ? err : os_memory_rw(reply, 0, data, length, IPC_LEND_OUT, &done);
}

static err_t handle(handle_t reply, struct message *m)
{
    switch (TAG_OP(m->tag)) {
    case CALL_TEST_ADD:
        return add(m);
    case CALL_TEST_COUNT:
        if (m->words[0] >= CALL_TEST_IDS_MAX)
            return E_RANGE;
        m->words[0] = executed[m->words[0]];
        return E_OK;
    case CALL_TEST_MOST:
        m->words[0] = executed_most;
        m->words[1] = executed_all;
        return E_OK;
    case CALL_TEST_HANDLES:
        return use_handles(m);
    case CALL_TEST_LENT:
        return m->tag & TAG_LENT ? raise_lent(reply) : E_INVALID;
    default:
        return E_BAD_MESSAGE;
    }
}

static _Noreturn void serve(handle_t endpoint)
{
    struct message m = {0};
    handle_t reply = HANDLE_NONE;
    uint64_t badge;
    for (;;) {
        err_t err = os_reply_recv(reply, endpoint, &m, &reply, &badge, DEADLINE_NEVER);
        if (err || !reply)
            continue;
        if (TAG_OP(m.tag) == CALL_TEST_DROP || TAG_OP(m.tag) == CALL_TEST_FORWARD) {
            if (TAG_OP(m.tag) == CALL_TEST_DROP || !forward(reply, &m))
                os_handle_close(reply);
            reply = HANDLE_NONE;
            continue;
        }
        err = handle(reply, &m);
        m.tag = TAG(err, 2, 0, 0);
    }
}

int main(int argc, char **argv)
{
    handle_t endpoint, client;
    if (argc != 2) {
        fprintf(stderr, "call_server: usage: call_server NAME\n");
        return 2;
    }
    err_t err = os_create(os_budget(), OBJECT_ENDPOINT, 0, 0, 0, &endpoint);
    if (!err)
        err = os_handle_mint(endpoint, 1, RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INFO, &client);
    if (!err)
        err = cluster_name_register(os_startup_handle(STARTUP_CLUSTER), os_deadline_ms(10000), argv[1], client);
    if (err) {
        fprintf(stderr, "call_server: %s cannot be offered: error %u\n", argv[1], err);
        return 1;
    }
    printf("serving %s\n", argv[1]);
    fflush(stdout);
    serve(endpoint);
}
