/* shoal.img: one file with kernel, first processes, programs and data. It describes itself, since PXE stacks do not
 * tell file sizes reliably. Little-endian. Parts start on page boundaries so that programs are mapped in place; parts
 * with the same bytes share them. */
#pragma once

#include <abi/types.h>

#define BUNDLE_MAGIC     "SHOALIMG"
#define BUNDLE_VERSION   1u
#define BUNDLE_PARTS_MAX 512u
#define BUNDLE_NAME_MAX  64u

enum bundle_kind { BUNDLE_KERNEL = 1, BUNDLE_FILE = 2, BUNDLE_SYMBOLS = 3 };

struct bundle_header {
    char magic[8];
    uint32_t version;
    uint32_t part_count;
    uint64_t total_bytes;
    uint64_t table_offset;
    uint8_t table_sha256[32];  /* of the part table */
    uint8_t header_sha256[32]; /* of this header with this field zero */
    uint8_t reserved[32];
};
_Static_assert(sizeof(struct bundle_header) == 128, "bundle header");

struct bundle_part {
    char name[BUNDLE_NAME_MAX]; /* path without leading slash, ended by 0: "bin/sh", "etc/supervisor.conf" */
    uint32_t kind;
    uint32_t mode; /* POSIX permission bits */
    uint64_t offset, bytes;
    uint8_t sha256[32];
    uint8_t reserved[8];
};
_Static_assert(sizeof(struct bundle_part) == 128, "bundle part");
