/* A transaction over keys, as its steps follow each other in the bytes of the operation `txn` (abi/idl/cluster.msg).
 *
 * Each step is a struct txn_step, its name and its value, padded with zeros to 8 bytes in all. Comparisons come first,
 * then what is done if all of them hold, then what is done if not. A key is changed at most once in each branch. */
#pragma once

#include <abi/types.h>

#define TXN_STEPS_MAX 32u
#define TXN_BYTES_MAX 3800u

enum txn_section { TXN_IF = 1, TXN_THEN = 2, TXN_ELSE = 3 };

enum txn_kind {
    TXN_REVISION = 1, /* the key's revision is `number` */
    TXN_VALUE = 2,    /* the key has this value */
    TXN_ABSENT = 3,   /* there is no such key */
    TXN_PRESENT = 4,  /* there is */
    TXN_FENCE = 5,    /* the grant with fence `number` still holds the lock of this name */
    TXN_PUT = 6,      /* sets the key; `number` is a session that it ends with, or 0 */
    TXN_DELETE = 7    /* removes the key, if it is there */
};

struct txn_step {
    uint8_t section, kind; /* enum txn_section, enum txn_kind */
    uint16_t name_bytes, value_bytes, reserved;
    uint64_t number;
};
