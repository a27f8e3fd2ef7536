/* Transactions: comparisons of keys and locks, and what is done if they all hold, or if not. It happens as a whole at
 * one moment, or not at all.
 *
 *   struct shoal_txn t;
 *   shoal_txn_begin(&t);
 *   shoal_txn_if_value(&t, "color", "blue", 4);
 *   shoal_txn_put(&t, SHOAL_THEN, "color", "red", 3);
 *   shoal_txn_delete(&t, SHOAL_ELSE, "painter");
 *   err = shoal_txn_commit(&t, cluster, shoal_in_ms(5000), &held, NULL);
 *
 * Comparisons come first, then the steps of SHOAL_THEN, then those of SHOAL_ELSE. A key is changed at most once in each
 * branch. At most TXN_STEPS_MAX steps, TXN_BYTES_MAX bytes of names and values. What is wrong with a step is remembered
 * and told by shoal_txn_commit(), so that steps need no check each. */
#pragma once

#include <abi/transaction.h>
#include <shoal/session.h>

enum shoal_branch { SHOAL_THEN = TXN_THEN, SHOAL_ELSE = TXN_ELSE };

/* The caller's memory; its fields are the library's. */
struct shoal_txn {
    uint32_t used, count;
    uint32_t section; /* enum txn_section of the last step */
    err_t err;        /* of the first step that was wrong */
    uint8_t steps[TXN_BYTES_MAX];
};

void shoal_txn_begin(struct shoal_txn *txn);

/* The key is at this revision · has this value · is not there · is there. */
void shoal_txn_if_revision(struct shoal_txn *txn, const char *key, uint64_t revision);
void shoal_txn_if_value(struct shoal_txn *txn, const char *key, const void *value, size_t bytes);
void shoal_txn_if_absent(struct shoal_txn *txn, const char *key);
void shoal_txn_if_present(struct shoal_txn *txn, const char *key);
/* The grant with this fence (hold.h) still holds the lock of this name: a write that no earlier holder can do. */
void shoal_txn_if_held(struct shoal_txn *txn, const char *lock, uint64_t fence);

void shoal_txn_put(struct shoal_txn *txn, enum shoal_branch branch, const char *key, const void *value, size_t bytes);
/* The key ends with the session. */
void shoal_txn_put_ephemeral(struct shoal_txn *txn, enum shoal_branch branch, const struct shoal_session *session,
                             const char *key, const void *value, size_t bytes);
void shoal_txn_delete(struct shoal_txn *txn, enum shoal_branch branch, const char *key);

/* *held_out: whether all comparisons held, so that SHOAL_THEN was done; else SHOAL_ELSE was. *revision_out, which may
 * be NULL: of the keys it changed. The transaction can be committed again, or begun anew. refused: E_INVALID (a key
 * twice in a branch, steps in another order, none), E_TOO_LONG (names, values, or all of it), E_FULL, E_NO_SESSION,
 * E_NO_RIGHT, E_NOT_DELIVERED; nothing of either branch was done unknown: a comparison that its own changes make fail
 * makes it safe to send again */
err_t shoal_txn_commit(const struct shoal_txn *txn, handle_t cluster, uint64_t deadline, bool *held_out,
                       uint64_t *revision_out);
