/* txn: moves one coin between two accounts, as a whole or not at all, and only while it holds the bank's lock. */
#include <shoal/lock.h>
#include <shoal/txn.h>
#include <stdio.h>

static err_t move(handle_t cluster, uint64_t fence, bool *held_out)
{
    struct shoal_txn txn;
    shoal_txn_begin(&txn);
    shoal_txn_if_held(&txn, "example/bank", fence);
    shoal_txn_if_value(&txn, "example/mine", "1", 1);
    shoal_txn_put(&txn, SHOAL_THEN, "example/mine", "0", 1);
    shoal_txn_put(&txn, SHOAL_THEN, "example/yours", "1", 1);
    shoal_txn_put(&txn, SHOAL_ELSE, "example/mine", "1", 1);
    shoal_txn_delete(&txn, SHOAL_ELSE, "example/yours");
    return shoal_txn_commit(&txn, cluster, shoal_in_ms(5000), held_out, NULL);
}

int main(void)
{
    handle_t cluster = shoal_cluster();
    struct shoal_hold hold;
    bool held;
    err_t err = shoal_lock(cluster, shoal_in_ms(30000), "example/bank", NULL, &hold);
    for (int i = 0; !err && i < 2; i++) {
        err = move(cluster, hold.fence, &held);
        if (!err)
            puts(held ? "moved" : "begun anew");
    }
    if (!err)
        err = shoal_release(&hold, shoal_in_ms(5000));
    if (!err)
        err = move(cluster, hold.fence, &held); /* too late: the lock is given back, the first comparison fails */
    if (err) {
        fprintf(stderr, "txn: %s%s\n", shoal_outcome(err) == SHOAL_UNKNOWN ? "done, or not: " : "",
                shoal_error_text(err));
        return 1;
    }
    puts(held ? "moved without the lock" : "not moved without the lock");
    return held;
}
