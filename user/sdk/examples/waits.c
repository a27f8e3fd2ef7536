/* waits: two processes that wait for each other's lock, and a look at it. Run as `waits hold A B` on two nodes, with A
 * and B the other way round on the second, then as `waits`. A third word tells when to go on: once that key is there.
 */
#include <abi/ids.h>
#include <shoal/lock.h>
#include <shoal/waits.h>
#include <shoal/watch.h>
#include <stdio.h>
#include <string.h>

static err_t wait_for_key(handle_t cluster, const char *key)
{
    static struct shoal_watch watch;
    struct shoal_change change;
    err_t err = shoal_watch_begin(&watch, cluster, shoal_in_ms(5000), SHOAL_WATCH_KEYS, key, 0);
    if (!err && shoal_get(cluster, shoal_in_ms(5000), key, NULL, 0, NULL, NULL) != E_NOT_FOUND)
        return E_OK;
    return err ? err : shoal_watch_next(&watch, SHOAL_NEVER, &change);
}

static int hold(handle_t cluster, const char *first, const char *second, const char *go)
{
    struct shoal_hold a, b;
    err_t err = shoal_lock(cluster, SHOAL_NEVER, first, NULL, &a);
    if (!err)
        err = wait_for_key(cluster, go);
    if (!err)
        err = shoal_lock(cluster, SHOAL_NEVER, second, NULL, &b);
    printf("%s\n", shoal_error_text(err));
    return err != E_OK;
}

static int look(handle_t cluster)
{
    static struct shoal_waits waits;
    uint32_t circle[64], from = 0;
    err_t err = shoal_waits_read(&waits, cluster, shoal_in_ms(5000));
    if (err) {
        fprintf(stderr, "waits: %s\n", shoal_error_text(err));
        return 1;
    }
    printf("%u cannot go on\n", (unsigned)shoal_waits_find_stuck(&waits));
    for (uint32_t n; (n = shoal_waits_circle(&waits, &from, circle, 64)) > 0;) {
        for (uint32_t i = 0; i < n; i++) {
            const struct cluster_lock_request *row = &waits.rows[circle[i]];
            printf("a process of node %u waits for %s\n", (unsigned)row->node, row->name);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    handle_t cluster = shoal_cluster();
    if (argc == 5 && strcmp(argv[1], "hold") == 0)
        return hold(cluster, argv[2], argv[3], argv[4]);
    return look(cluster);
}
