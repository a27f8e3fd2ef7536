/* Checking shoal.img (abi/bundle.h). Pure; the bytes may be anything at all. */
#pragma once

#include <abi/bundle.h>

/* Checks header, part table, every part's place, name and hash. On failure E_CORRUPT, and `what_out` says what is wrong
 * and where ("part 'bin/sh' is damaged (SHA-256 differs)"). */
err_t bundle_check(const void *image, uint64_t bytes, char *what_out, size_t what_room);

/* The parts of a checked bundle. */
uint32_t bundle_count(const void *image);
const struct bundle_part *bundle_part_at(const void *image, uint32_t n);
