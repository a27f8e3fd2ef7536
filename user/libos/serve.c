/* The server loop. */
#include <os/log.h>
#include <os/serve.h>
#include <os/syscall.h>
#include <os/thread.h>

err_t os_server_bind(struct server *s, handle_t notification)
{
    return os_control(s->endpoint, OP_ENDPOINT_BIND, notification, 0, 0, 0).err;
}

handle_t request_keep(struct request *r)
{
    handle_t reply = r->reply;
    OS_ASSERT(reply != HANDLE_NONE);
    r->reply = HANDLE_NONE;
    return reply;
}

handle_t request_take(struct request *r, handle_t handle)
{
    for (uint32_t i = 0; i < IPC_HANDLES_MAX; i++)
        if (r->handles[i] == handle)
            r->handles[i] = HANDLE_NONE;
    return handle;
}

void request_give(struct request *r, handle_t handle)
{
    if (handle)
        r->given[r->given_count++] = handle;
}

void reply_begin(struct msg *m)
{
    m->bytes = os_ipc_buffer()->bytes;
    m->handles = os_ipc_buffer()->handles;
}

err_t reply_send(handle_t reply, err_t err, struct msg *m)
{
    struct message regs = {.tag = err == E_OK ? m->tag : TAG(err, 0, 0, 0)};
    if (err == E_OK)
        __builtin_memcpy(regs.words, m->words, sizeof regs.words);
    return os_reply(reply, &regs);
}

static err_t lent_copy(handle_t reply, uint64_t offset, void *buffer, uint64_t bytes, enum ipc_lend direction)
{
    uint64_t done = 0;
    err_t err = bytes ? os_memory_rw(reply, offset, buffer, bytes, direction, &done) : E_OK;
    return err == E_OK && done != bytes ? E_RANGE : err;
}

err_t lent_read(handle_t reply, uint64_t offset, void *to, uint64_t bytes)
{
    return lent_copy(reply, offset, to, bytes, IPC_LEND_IN);
}

err_t lent_write(handle_t reply, uint64_t offset, const void *from, uint64_t bytes)
{
    return lent_copy(reply, offset, (void *)from, bytes, IPC_LEND_OUT);
}

bool reply_wanted(handle_t reply)
{
    struct sys_result r = os_control(reply, OP_REPLY_INFO, 0, 0, 0, 0);
    return r.err == E_OK && r.value;
}

/* Copies the message out of the IPC buffer, which the handler's own calls will use. */
static void request_take_in(struct request *r, const struct message *regs)
{
    struct ipc_buffer *ipc = os_ipc_buffer();
    r->in.tag = regs->tag;
    __builtin_memcpy(r->in.words, regs->words, sizeof r->in.words);
    __builtin_memcpy(r->bytes, ipc->bytes, TAG_BYTES(regs->tag));
    for (uint32_t i = 0; i < IPC_HANDLES_MAX; i++)
        r->handles[i] = i < TAG_HANDLES(regs->tag) ? ipc->handles[i] : HANDLE_NONE;
    r->in.bytes = r->bytes;
    r->in.handles = r->handles;
    r->in.lent_direction = ipc->lent_direction;
    r->in.lent_length = ipc->lent_length;
    r->remote = (regs->tag & TAG_REMOTE) != 0;
    r->sender_node = r->remote ? ipc->sender_node : 0;
    r->sender_boot = r->remote ? ipc->sender_boot : 0;
    r->fence = regs->tag & TAG_FENCED ? ipc->fence : (struct ipc_fence){0};
    r->given_count = 0;
}

static const struct service *service_of(const struct server *s, uint32_t op)
{
    for (uint32_t i = 0; i < s->service_count; i++)
        if (s->services[i].number == (op & 0xff00))
            return &s->services[i];
    return NULL;
}

static err_t serve_call(struct server *s, struct request *r)
{
    const struct service *service = service_of(s, TAG_OP(r->in.tag));
    reply_begin(&r->answer);
    err_t err = service ? service->dispatch(service->handlers, r) : E_BAD_SYSCALL;
    OS_ASSERT((err == REPLY_LATER) == (r->reply == HANDLE_NONE));
    for (uint32_t i = 0; i < IPC_HANDLES_MAX; i++)
        if (r->handles[i])
            os_handle_close(r->handles[i]);
    return err;
}

/* What the kernel itself says. Returns the answer to a fault; anything else has none. */
static err_t serve_kernel(struct server *s, const struct message *m, uint64_t badge)
{
    if (TAG_OP(m->tag) == IPC_CLOSED && s->closed)
        s->closed(s, badge);
    if (TAG_OP(m->tag) == IPC_FAULT && s->fault)
        return s->fault(s, badge, m->words);
    return E_NOT_SUPPORTED;
}

/* Works one message. In *m the answer, to be sent to the returned Reply handle if there is one. */
static handle_t serve_one(struct server *s, struct request *r, struct message *m)
{
    if (m->tag & TAG_NOTIFICATION) {
        if (s->notified)
            s->notified(s, m->words[0]);
        return HANDLE_NONE;
    }
    if (m->tag & TAG_KERNEL) {
        m->tag = TAG(serve_kernel(s, m, r->badge), 0, 0, 0);
        return r->reply;
    }
    request_take_in(r, m);
    err_t err = serve_call(s, r);
    if (err == REPLY_LATER)
        return HANDLE_NONE;
    m->tag = err == E_OK ? r->answer.tag : TAG(err, 0, 0, 0);
    __builtin_memcpy(m->words, r->answer.words, sizeof m->words);
    if (r->given_count == 0)
        return r->reply;
    /* Given handles are closed after the answer is away: reply_recv would keep them open until the next request. */
    os_reply(r->reply, m);
    for (uint32_t i = 0; i < r->given_count; i++)
        os_handle_close(r->given[i]);
    return HANDLE_NONE;
}

err_t os_serve(struct server *s)
{
    static const struct request empty;
    struct request r;
    struct message m = {0};
    handle_t answer_to = HANDLE_NONE;
    __builtin_memcpy(&r, &empty, offsetof(struct request, bytes));
    r.server = s;
    for (;;) {
        if (s->stop) {
            if (answer_to)
                os_reply(answer_to, &m);
            return E_OK;
        }
        err_t err = os_reply_recv(answer_to, s->endpoint, &m, &r.reply, &r.badge, DEADLINE_NEVER);
        answer_to = HANDLE_NONE;
        if (err == E_INTERRUPTED)
            continue;
        if (err != E_OK)
            return err;
        answer_to = serve_one(s, &r, &m);
        if (s->after)
            s->after(s);
    }
}
