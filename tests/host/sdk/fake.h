/* A cluster that does appends by the tables' rule, and loses calls or answers as the test says. */
#pragma once

#include <abi/types.h>

/* What becomes of a sending: it is done or not, and answered as it was, or (answer not E_OK) otherwise. */
struct sending {
    bool done;
    err_t answer;
};

void fake_begin(const struct sending *script, uint32_t count); /* what follows the script is done and answered */

struct fake {
    uint64_t now_ns;
    uint64_t last_number; /* that was done */
    uint32_t appends;     /* done, each once */
    uint32_t sendings;
    err_t next_err; /* what the tables say to the next number, e.g. E_FULL */
};
extern struct fake fake;
