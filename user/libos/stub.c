/* Client side of the generated stubs. */
#include <os/startup.h>
#include <os/stub.h>
#include <os/syscall.h>
#include <os/thread.h>

err_t stub_begin(struct msg *m, uint32_t service_level)
{
    struct ipc_buffer *ipc = os_ipc_buffer();
    m->bytes = ipc->bytes;
    m->handles = ipc->handles;
    return os_level() > service_level || (service_level == 0 && os_level() == 0) ? E_OK : E_UPWARD;
}

err_t stub_call(handle_t service, struct msg *m, uint64_t deadline)
{
    struct ipc_buffer *ipc = os_ipc_buffer();
    if (m->tag & TAG_LENT) {
        ipc->lent_memory = m->lent_memory;
        ipc->lent_direction = m->lent_direction;
        ipc->lent_offset = m->lent_offset;
        ipc->lent_length = m->lent_length;
    }
    if (os_self()->lock) {
        ipc->lock = os_self()->lock;
        m->tag |= TAG_FENCED;
    }
    struct message regs = {.tag = m->tag};
    __builtin_memcpy(regs.words, m->words, sizeof regs.words);
    err_t err = os_call(service, &regs, deadline);
    if (err != E_OK)
        return err;
    m->tag = regs.tag;
    __builtin_memcpy(m->words, regs.words, sizeof regs.words);
    err = TAG_OP(m->tag);
    return err == E_OK ? E_OK : stub_refuse(m, err < E_COUNT ? err : E_BAD_MESSAGE);
}

err_t stub_refuse(const struct msg *m, err_t err)
{
    for (uint32_t i = 0; i < TAG_HANDLES(m->tag) && i < IPC_HANDLES_MAX; i++)
        os_handle_close(m->handles[i]);
    return err;
}

uint32_t stub_length(const char *text)
{
    uint32_t length = 0;
    while (text && text[length] && length <= IPC_BYTES_MAX)
        length++;
    return length;
}

void stub_take_string(char *to, const char *from, uint32_t length)
{
    if (!to)
        return;
    __builtin_memcpy(to, from, length);
    to[length] = 0;
}

void stub_take_bytes(void *to, uint32_t *length_out, const void *from, uint32_t length)
{
    if (length)
        __builtin_memcpy(to, from, length);
    if (length_out)
        *length_out = length;
}

void stub_take_handle(handle_t *to, handle_t handle)
{
    if (to)
        *to = handle;
    else if (handle)
        os_handle_close(handle);
}
