/* The log's format on disk; docs/004-log.md explains it. Little-endian. */
#pragma once

#include <abi/logstore.h>

/* Everything is written in whole blocks that nothing acknowledged shares, so that a torn write, also inside a sector of
 * 4096 bytes, harms only what was being written. */
#define BLOCK_BYTES 4096u

#define SUPERBLOCK_MAGIC   0x474f4c4c414f4853ull /* "SHOALLOG" */
#define SUPERBLOCK_VERSION 2u
#define SUPERBLOCK_A       0u
#define SUPERBLOCK_OLD     8192u /* of the history before the last recovery by hand; nothing reads it but people */
#define SUPERBLOCK_B       65536u
#define RECORDS_START      131072u
#define RECORDS_MIN        (1024u * 1024u)
#define RECORDS_MAX        (32u * 1024u * 1024u)
#define SNAPSHOT_MIN       (512u * 1024u)
#define SNAPSHOT_MAX       (64u * 1024u * 1024u)
#define DISK_MIN           (RECORDS_START + RECORDS_MIN + 2 * SNAPSHOT_MIN)

#define GROUP_MAGIC     0x50524753u /* "SGRP" */
#define GROUP_BYTES_MAX (256u * 1024u)

/* How far behind a bad group the scan looks for proof that later ones were acknowledged. */
#define SCAN_WINDOW (2u * 1024u * 1024u)

struct disk_superblock {
    uint64_t magic;
    uint32_t version;
    uint32_t checksum;   /* CRC-32C of the block with this field 0 */
    uint64_t sequence;   /* the copy with the higher one is newer */
    uint64_t epoch;      /* random, of this format; in every group */
    uint64_t disk_bytes; /* when it was formatted */
    uint64_t records_start, records_bytes;
    uint64_t snapshot_start[2], snapshot_bytes; /* the two areas; room of each */
    uint64_t head_block;                        /* where the oldest group starts, counted in the record area */
    uint64_t head_sequence;                     /* sequence of the group before it */
    uint32_t head_chain;                        /* checksum of the group before it */
    uint32_t damaged;                           /* 1: acknowledged groups were found damaged and are not yet replaced */
    uint64_t damaged_index;                     /* up to which index the log reached then */
    uint64_t known_sequence;                    /* groups up to this one were acknowledged when this was written */
    uint64_t known_index;                       /* the end of the log then */
    uint64_t compacted;                         /* records up to it are no longer needed */
    uint32_t snapshot_current;                  /* 0 none, 1 or 2: which area */
    uint32_t payload_bytes;
    struct {
        uint64_t index, term, bytes;
        uint8_t sha256[32];
    } snapshot;
    uint8_t payload[LOG_PAYLOAD_MAX]; /* here alone: harm to groups never takes a vote */
    uint8_t reserved[BLOCK_BYTES - 200 - LOG_PAYLOAD_MAX];
};
_Static_assert(sizeof(struct disk_superblock) == BLOCK_BYTES, "superblock");

/* A group is what one write and one flush make durable: the items of one or more requests. It starts on a block and
 * does not wrap. Its items follow the header, each padded to 8. */
struct disk_group {
    uint32_t magic;
    uint32_t checksum; /* CRC-32C of header (this field 0) and items */
    uint64_t epoch;
    uint64_t sequence;   /* higher in every later group */
    uint32_t chain;      /* checksum of the group before */
    uint32_t bytes;      /* of the items */
    uint64_t last_index; /* the end of the log after this group */
    uint8_t reserved[24];
};
_Static_assert(sizeof(struct disk_group) == 64, "group");

enum disk_item_kind { ITEM_APPEND = 1, ITEM_TRUNCATE = 2 };

struct disk_item {
    uint32_t kind;
    uint32_t bytes; /* that follow, before padding */
    uint64_t index; /* append: of the first record; truncate: records from it on are void */
};
_Static_assert(sizeof(struct disk_item) == 16, "item");
