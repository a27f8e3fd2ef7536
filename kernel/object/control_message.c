/* Operations of Endpoints, Replies and Notifications. */
#include "control_local.h"

err_t control_ENDPOINT_BIND(struct control *c)
{
    struct endpoint *e = container_of(c->object, struct endpoint, object);
    struct notification *n = NULL;
    if (c->a != HANDLE_NONE) {
        err_t err = handle_object(c->self, c->a, OBJECT_NOTIFICATION, RIGHT_WAIT, &n);
        if (err != E_OK)
            return err;
        if (n->handler)
            return E_NOT_SUPPORTED;
    }
    return endpoint_bind(e, n);
}

err_t control_REPLY_INFO(struct control *c)
{
    c->value = reply_call(c->object) != NULL;
    return E_OK;
}

err_t control_NOTIFICATION_TIMER(struct control *c)
{
    return notification_timer(container_of(c->object, struct notification, object), c->a, c->b);
}
