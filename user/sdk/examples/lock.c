/* lock: only one process of the cluster at a time does what stands between the lock and its release. */
#include <shoal/lock.h>
#include <stdio.h>

int main(void)
{
    handle_t cluster = shoal_cluster();
    struct shoal_hold hold;
    err_t err = shoal_lock(cluster, shoal_in_ms(30000), "example/lock", NULL, &hold);
    if (err) {
        fprintf(stderr, "lock: not held: %s\n", shoal_error_text(err));
        return 1;
    }
    printf("held, fence %llu\n", (unsigned long long)hold.fence);
    err = shoal_release(&hold, shoal_in_ms(5000));
    printf("released: %s\n", shoal_error_text(err));
    return err != E_OK;
}
