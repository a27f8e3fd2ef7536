/* Whether the bytes that arrived are the bundle that was made. Pure; also built for the host tests. */
#pragma once

#include <abi/bundle.h>

enum bundle_fault {
    BUNDLE_SOUND = 0,
    BUNDLE_SHORT,      /* fewer bytes than the header promises */
    BUNDLE_NOT_ONE,    /* no SHOALIMG at the start */
    BUNDLE_BAD_HEADER, /* the header's own hash, version or numbers */
    BUNDLE_BAD_TABLE,  /* the part table's hash */
    BUNDLE_BAD_PART    /* part `part`: its place or its hash */
};

struct bundle_verdict {
    enum bundle_fault fault;
    uint32_t part;
    char name[BUNDLE_NAME_MAX]; /* of the part at fault, ended by 0 */
};

/* Only the header: how long the whole is, before it has been loaded. `bytes` is what there is of it. */
enum bundle_fault bundle_check_header(const void *image, uint64_t bytes, uint64_t *total_bytes_out);
/* Everything: header, table, and each part's hash. */
struct bundle_verdict bundle_check(const void *image, uint64_t bytes);
/* The kernel's part of a sound bundle; NULL: it has none. */
const struct bundle_part *bundle_kernel(const void *image);
const char *bundle_fault_text(enum bundle_fault fault);
