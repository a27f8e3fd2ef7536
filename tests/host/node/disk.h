/* A log server with a disk, as seen from the kernel: what was answered is kept over a power cut, the rest is not. */
#pragma once

#include <abi/logstore.h>
#include <base/logformat.h>
#include <test/check.h>

#define RECORDS_MAX 20000u

struct disk_record {
    uint64_t index, term;
    uint8_t *bytes;
    uint32_t count;
};

struct disk_request {
    struct log_message head;
    uint8_t *data;
};

struct disk {
    enum log_state state;
    uint8_t payload[LOG_PAYLOAD_MAX];
    uint32_t payload_bytes;
    struct disk_record records[RECORDS_MAX]; /* contiguous */
    uint32_t record_count;
    uint64_t compacted;
    uint64_t damaged_index; /* acknowledged records up to it were lost; 0: none */
    uint32_t records_room;  /* so many fit; 0: any number */
    uint64_t full_from;     /* an append from it on found no room; 0: none */
    uint64_t snapshot_room; /* bytes; 0: any number */
    uint32_t full_answers;
    uint64_t snapshot_index, snapshot_term, snapshot_bytes;
    uint8_t snapshot_sha256[32];
    uint8_t *snapshot;
    /* being written */
    uint64_t part_index, part_term, part_bytes;
    uint8_t *part;
    struct disk_request queue[256];
    uint32_t queue_count;
};

typedef void disk_answer(void *context, const struct log_message *answer, const uint8_t *data);

void disk_open(struct disk *d); /* power on: what was under way is lost */
void disk_blank(struct disk *d);
void disk_harm(struct disk *d, uint64_t last);            /* the records after `last` are lost, and that is seen */
void disk_copy(struct disk *to, const struct disk *from); /* an image of what is durable */
bool disk_put(struct disk *d, const struct log_message *request, const void *data);
/* Works one request, if there is one. */
bool disk_work(struct disk *d, disk_answer *answer, void *context);
