/* session: says that it is there for as long as it is, queues up by number, and appends exactly once. */
#include <shoal/keys.h>
#include <shoal/session.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static err_t take_part(handle_t cluster, struct shoal_session *session)
{
    char name[SHOAL_KEY_MAX + 1];
    err_t err = shoal_session_open(cluster, shoal_in_ms(5000), session);
    if (!err)
        err = shoal_put_ephemeral(session, shoal_in_ms(5000), "example/here", "yes", 3, NULL);
    if (!err)
        err = shoal_put_sequence(cluster, shoal_in_ms(5000), session, "example/queue/", "me", 2, name, NULL);
    if (!err)
        printf("in the queue as number %llu\n", strtoull(strrchr(name, '/') + 1, NULL, 10));
    return err ? err : shoal_append(session, shoal_in_ms(30000), "example/log", "was here\n", 9, NULL);
}

int main(void)
{
    handle_t cluster = shoal_cluster();
    struct shoal_session session;
    char value[4];
    err_t err = take_part(cluster, &session);
    if (!err)
        err = shoal_session_close(&session, shoal_in_ms(5000));
    if (err) {
        fprintf(stderr, "session: %s\n", shoal_error_text(err));
        return 1;
    }
    err = shoal_get(cluster, shoal_in_ms(5000), "example/here", value, sizeof value, NULL, NULL);
    printf("after the session: %s\n", shoal_error_text(err));
    return err != E_NOT_FOUND;
}
