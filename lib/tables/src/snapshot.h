/* The form of a snapshot: records of u32 length (of what follows it), u8 part, fields; the parts in their order. */
#pragma once

#define SNAPSHOT_VERSION 6u
#define SNAPSHOT_MAGIC   0x534c4254u /* "TBLS" */

enum snapshot_part {
    PART_HEAD = 1,
    PART_NODE,
    PART_SESSION,
    PART_KEY,
    PART_NAME,
    PART_LOCK,    /* name and newest fence; its requests carry the name again */
    PART_REQUEST, /* by ticket: holders of a lock come before its waiters, each in their order */
    PART_JOB,
    PART_INSTANCE, /* of the job before it */
    PART_END,      /* hash of all bytes before this record */
    PART_DONE
};

static inline uint64_t snapshot_hash(uint64_t hash, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3ull;
    return hash;
}
#define SNAPSHOT_HASH_START 0xcbf29ce484222325ull
