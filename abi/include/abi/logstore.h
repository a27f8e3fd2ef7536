/* Between the kernel's cluster service and logstore: two rings in one Memory. Requests carry a serial that the answer
 * repeats; logstore works them strictly in order. It answers LOG_DONE only after what the request promises is durable:
 * the disk has acknowledged a flush. The kernel makes record checksums and keeps entries until `done`; after a restart
 * of logstore the kernel attaches again and resends from the first entry not known durable.
 *
 * On disk (format in docs/004-log.md): two superblock copies, then a circular record area, then two snapshot areas.
 */
#pragma once

#include <abi/ring.h>

#define LOG_RING_BYTES (1024u * 1024u)
#define LOG_BIT_DATA   1ull

/* `state` of OP_SYSTEM_ATTACH_LOG: what logstore found. */
enum log_state {
    LOG_VALID = 1,   /* superblock read; LOG_OPEN's answer carries it */
    LOG_BLANK = 2,   /* the configured disk was read and has no superblock: all zero there */
    LOG_DAMAGED = 3, /* both superblocks unreadable, or something else is on the disk: never blank */
    LOG_ABSENT = 4,  /* a disk is configured but missing or unreadable */
    LOG_NONE = 5     /* disk = none: a memory voter */
};

enum log_request_op {
    /* Answered by LOG_DATA with struct log_superblock and the payload, then LOG_RECORD oldest to newest (one encoded
     * record each), then LOG_DONE. Its status is E_OK, or E_CORRUPT: acknowledged records are damaged, after the last
     * LOG_RECORD or in place of the last ones; index says up to which index the log reached. */
    LOG_OPEN = 1,
    LOG_FORMAT =
        2, /* data: superblock payload. Writes a fresh log with it. index: LOG_FORMAT_ANEW for one that is damaged */
    LOG_META = 3, /* data: superblock payload (term, vote, commit, configuration, ids); durable when done. index:
                     LOG_META_WHOLE unless the kernel still fetches what a damaged log lost */
    LOG_APPEND =
        4, /* data: one or more encoded records (lib/base/logformat.h), contiguous; durable when done. The first
              one's index may lie below the end: records from it on are void then. E_FULL: nothing was written, and
              nothing that changes records is done (E_FULL too) before this one is asked again and finds room */
    LOG_TRUNCATE = 5,        /* index: records from it on are void; durable when done */
    LOG_COMPACT = 6,         /* index: records up to it are no longer needed. After E_FULL: not beyond the end */
    LOG_SNAPSHOT_BEGIN = 7,  /* index, term; total bytes in `offset`: into the area not in use */
    LOG_SNAPSHOT_DATA = 8,   /* offset, data; in order, without gaps */
    LOG_SNAPSHOT_COMMIT = 9, /* sha256 in data; durable and current when done */
    LOG_SNAPSHOT_READ = 10,  /* offset; how many bytes in `index`: of the current one -> LOG_DATA */
    LOG_ADOPT = 11 /* data: sha256, then superblock payload. Instead of LOG_SNAPSHOT_COMMIT: that snapshot is current,
                      with this payload, and the log is empty after it; all at once */
};

enum log_answer_op { LOG_DONE = 32, LOG_RECORD = 33, LOG_DATA = 34, LOG_FAILED = 35 /* status says why */ };

/* A record of either ring: this header, then `bytes` of data. */
struct log_message {
    uint32_t op;
    uint32_t status; /* answers: err_t */
    uint64_t serial;
    uint64_t index, term;
    uint64_t offset;
    uint32_t bytes;
    uint32_t reserved;
};
_Static_assert(sizeof(struct log_message) == 48, "log_message");

#define LOG_META_WHOLE        1u
#define LOG_FORMAT_ANEW       1u
#define LOG_PAYLOAD_MAX       2048u          /* bytes of a superblock payload */
#define LOG_APPEND_MAX        (128u * 1024u) /* data bytes of a LOG_APPEND */
#define LOG_SNAPSHOT_PART_MAX (32u * 1024u)  /* data bytes of a LOG_SNAPSHOT_DATA or LOG_SNAPSHOT_READ */

/* Start of the LOG_DATA that answers LOG_OPEN; the payload of the last LOG_FORMAT or LOG_META follows. */
struct log_superblock {
    uint64_t snapshot_index, snapshot_term, snapshot_bytes; /* all 0: no snapshot */
    uint8_t snapshot_sha256[32];
    uint64_t compacted;     /* records up to this index are not given */
    uint64_t room_bytes;    /* of the record area */
    uint64_t snapshot_room; /* largest snapshot that fits */
    uint32_t payload_bytes;
    uint32_t reserved;
};
_Static_assert(sizeof(struct log_superblock) == 88, "log_superblock");

/* LOG_FAILED leaves the log as it was. When the disk fails, logstore does not answer but ends: what was not answered is
 * not known to be durable, and the kernel sends it again to the next incarnation. */

struct log_shared {
    uint32_t version; /* 1 */
    uint32_t state;   /* enum log_state */
    uint64_t disk_bytes;
    uint8_t reserved[48];
    struct ring_header requests; /* kernel -> logstore */
    struct ring_header answers;  /* followed by LOG_RING_BYTES of requests, then of answers */
};
_Static_assert(sizeof(struct log_shared) == 64 + 512, "log_shared");
