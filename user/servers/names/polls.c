/* Registered polls: a Notification to signal, once, when a pipe's end becomes ready. */
#include "names.h"

#include <os/syscall.h>

static void poll_free(struct poll *p)
{
    os_handle_close(p->notification);
    p->file = 0;
}

err_t polls_add(uint32_t badge, const struct file_poll_in *in, struct request *r)
{
    struct handle_info info;
    struct poll *place = NULL;
    err_t err = os_handle_info(in->notification, &info);
    if (err)
        return err;
    if (info.type != OBJECT_NOTIFICATION)
        return E_WRONG_TYPE;
    for (uint32_t i = 0; i < NAMES_POLLS_MAX; i++) {
        struct poll *p = &names.polls[i];
        if (p->file == badge && p->serial == info.serial) {
            poll_free(p);
            place = p;
            break;
        }
        if (p->file == 0 && !place)
            place = p;
    }
    if (!place)
        return E_FULL;
    *place = (struct poll){badge, in->events, in->bits, info.serial, request_take(r, in->notification)};
    return E_OK;
}

void polls_check_pipe(uint32_t pipe)
{
    for (uint32_t i = 0; i < NAMES_POLLS_MAX; i++) {
        struct poll *p = &names.polls[i];
        const struct open_file *file = p->file ? open_of_badge(p->file) : NULL;
        if (!file || file->index != pipe || !(pipes_ready(file) & (p->events | POLL_HANGUP)))
            continue;
        os_signal(p->notification, p->bits);
        poll_free(p);
    }
}

void polls_forget(uint32_t badge)
{
    for (uint32_t i = 0; i < NAMES_POLLS_MAX; i++)
        if (names.polls[i].file == badge)
            poll_free(&names.polls[i]);
}
