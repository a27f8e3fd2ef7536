/* A record of the replicated log, as the kernel encodes it and logstore keeps it. Pure.
 *
 * A record carries its index, term and the checksum of the record before it inside its own checksum, so a record that
 * is torn, stale, misplaced or follows another history is told from a good one. Records are padded to 8 bytes and stand
 * contiguously. Little-endian.
 */
#pragma once

#include <abi/types.h>

#define LOGFORMAT_MAGIC       0x31474c53u /* "SLG1" */
#define LOGFORMAT_PAYLOAD_MAX (64u * 1024u)

struct logformat_header {
    uint32_t magic;
    uint32_t checksum; /* CRC-32C of all that follows: the rest of the header, payload, padding */
    uint64_t index;
    uint64_t term;
    uint32_t type;     /* the writer's; not looked at here */
    uint32_t bytes;    /* of the payload */
    uint32_t previous; /* checksum of the record before; 0 where the chain begins */
    uint32_t reserved; /* 0 */
};
_Static_assert(sizeof(struct logformat_header) == 40, "logformat_header");

/* What a record says, and where its payload lies. */
struct logformat_record {
    uint64_t index, term;
    uint32_t type, bytes;
    uint32_t previous, checksum;
    const void *payload; /* within the bytes given to logformat_check; 8-byte aligned if they were */
};

/* Bytes of an encoded record with that payload. */
uint32_t logformat_record_bytes(uint32_t payload_bytes);

/* Encodes record->index, term, type, bytes, previous and payload; sets record->checksum. E_FULL: not enough room;
 * E_TOO_LONG: payload beyond the limit. */
err_t logformat_encode(struct logformat_record *record, void *to, size_t room, uint32_t *bytes_out);

/* Checks the record at the start of `from` by itself: E_AGAIN when there are fewer bytes than it says, E_CORRUPT when
 * they are no record. Any bytes may be given. */
err_t logformat_check(const void *from, size_t bytes, struct logformat_record *record_out, uint32_t *bytes_out);

/* Does `next` continue `before`: the next index, a term not lower, its checksum? */
bool logformat_follows(const struct logformat_record *before, const struct logformat_record *next);
