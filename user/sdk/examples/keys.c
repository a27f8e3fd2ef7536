/* keys: counts in a key that many may count in, by writing only over what was read; then lists. */
#include <shoal/keys.h>
#include <stdio.h>
#include <stdlib.h>

static err_t count_one(handle_t cluster, unsigned *count_out)
{
    uint64_t deadline = shoal_in_ms(30000); /* of all of it */
    for (;;) {
        char text[16] = "0";
        size_t bytes = 1;
        uint64_t revision = SHOAL_ABSENT;
        err_t err = shoal_get(cluster, deadline, "example/count", text, sizeof text - 1, &bytes, &revision);
        if (err && err != E_NOT_FOUND)
            return err;
        text[bytes] = 0;
        *count_out = (unsigned)atoi(text) + 1;
        bytes = (size_t)snprintf(text, sizeof text, "%u", *count_out);
        err = shoal_put(cluster, deadline, "example/count", text, bytes, revision, NULL);
        if (err != E_CONFLICT) /* another was faster: read again */
            return err;
    }
}

int main(void)
{
    handle_t cluster = shoal_cluster();
    unsigned count = 0;
    err_t err = count_one(cluster, &count);
    switch (shoal_outcome(err)) {
    case SHOAL_DONE:
        printf("counted to %u\n", count);
        break;
    case SHOAL_REFUSED:
        fprintf(stderr, "keys: not counted: %s\n", shoal_error_text(err));
        return 1;
    case SHOAL_UNKNOWN: /* to count exactly, append to a key under a session, or see session.c */
        fprintf(stderr, "keys: counted, or not: %s\n", shoal_error_text(err));
        return 1;
    }
    static struct shoal_keys keys;
    struct shoal_key key;
    err = shoal_keys_begin(&keys, cluster, "example/c");
    while (!err && (err = shoal_keys_next(&keys, shoal_in_ms(5000), &key)) == E_OK)
        printf("%s has %u bytes\n", key.name, (unsigned)key.value_bytes);
    return err != E_NOT_FOUND;
}
