/* watch: sees its own change, and loses nothing between reading and watching. */
#include <shoal/watch.h>
#include <stdio.h>

int main(void)
{
    static struct shoal_watch watch;
    struct shoal_change change;
    handle_t cluster = shoal_cluster();
    err_t err = shoal_watch_begin(&watch, cluster, shoal_in_ms(5000), SHOAL_WATCH_KEYS, "example/watched", 0);
    /* What is to be known as it stands is read here; what happens from now on is told by the watch. */
    if (!err)
        err = shoal_put(cluster, shoal_in_ms(5000), "example/watched", "seen", 4, SHOAL_ANY_REVISION, NULL);
    if (!err)
        err = shoal_watch_next(&watch, shoal_in_ms(30000), &change);
    if (err == E_COMPACTED)
        fprintf(stderr, "watch: too late; what is there now has to be read, and watching begun again\n");
    if (err) {
        fprintf(stderr, "watch: %s\n", shoal_error_text(err));
        return 1;
    }
    printf("%s is %.*s\n", change.name, (int)change.value_bytes, (const char *)change.value);
    err = shoal_watch_next(&watch, shoal_in_ms(100), &change);
    printf("then: %s\n", shoal_error_text(err));
    return err != E_TIMED_OUT;
}
