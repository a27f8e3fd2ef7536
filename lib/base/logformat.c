#include <base/crc32c.h>
#include <base/logformat.h>

enum { CHECKSUM_START = 8 /* offset of the first byte the checksum covers */, ALIGN = 8 };

uint32_t logformat_record_bytes(uint32_t payload_bytes)
{
    return (uint32_t)sizeof(struct logformat_header) + ((payload_bytes + ALIGN - 1) & ~(uint32_t)(ALIGN - 1));
}

err_t logformat_encode(struct logformat_record *record, void *to, size_t room, uint32_t *bytes_out)
{
    uint8_t *out = to;
    if (record->bytes > LOGFORMAT_PAYLOAD_MAX)
        return E_TOO_LONG;
    uint32_t total = logformat_record_bytes(record->bytes);
    if (room < total)
        return E_FULL;
    struct logformat_header header = {LOGFORMAT_MAGIC,  0, record->index, record->term, record->type, record->bytes,
                                      record->previous, 0};
    uint32_t payload_end = (uint32_t)sizeof header + record->bytes;
    if (record->bytes > 0)
        __builtin_memcpy(out + sizeof header, record->payload, record->bytes);
    __builtin_memset(out + payload_end, 0, total - payload_end);
    __builtin_memcpy(out, &header, sizeof header);
    header.checksum = crc32c(0, out + CHECKSUM_START, total - CHECKSUM_START);
    __builtin_memcpy(out, &header, sizeof header);
    record->checksum = header.checksum;
    *bytes_out = total;
    return E_OK;
}

err_t logformat_check(const void *from, size_t bytes, struct logformat_record *record_out, uint32_t *bytes_out)
{
    struct logformat_header header;
    if (bytes < sizeof header)
        return E_AGAIN;
    __builtin_memcpy(&header, from, sizeof header);
    if (header.magic != LOGFORMAT_MAGIC || header.bytes > LOGFORMAT_PAYLOAD_MAX || header.reserved != 0)
        return E_CORRUPT;
    uint32_t total = logformat_record_bytes(header.bytes);
    if (bytes < total)
        return E_AGAIN;
    if (crc32c(0, (const uint8_t *)from + CHECKSUM_START, total - CHECKSUM_START) != header.checksum)
        return E_CORRUPT;
    *record_out = (struct logformat_record){header.index,
                                            header.term,
                                            header.type,
                                            header.bytes,
                                            header.previous,
                                            header.checksum,
                                            (const uint8_t *)from + sizeof header};
    *bytes_out = total;
    return E_OK;
}

bool logformat_follows(const struct logformat_record *before, const struct logformat_record *next)
{
    return next->index == before->index + 1 && next->term >= before->term && next->previous == before->checksum;
}
