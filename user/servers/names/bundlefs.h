/* The boot bundle as read-only files; directories are the prefixes of its part names. Pure. */
#pragma once

#include <abi/bundle.h>

struct bundlefs {
    const uint8_t *base;
    uint64_t bytes;
    const struct bundle_part *parts;
    uint32_t count;
};

/* Takes a bundle mapped at base. E_CORRUPT if its table does not lie inside it. */
err_t bundlefs_init(struct bundlefs *fs, const void *base, uint64_t bytes);

/* The part behind a canonical path ("/bin/sh"); NULL: no such file. */
const struct bundle_part *bundlefs_find(const struct bundlefs *fs, const char *path);
const void *bundlefs_bytes(const struct bundlefs *fs, const struct bundle_part *part);
/* A number that no other path of the bundle has. */
uint64_t bundlefs_inode(const struct bundlefs *fs, const char *path);
bool bundlefs_is_directory(const struct bundlefs *fs, const char *path);

struct bundlefs_entry {
    bool directory;
    char name[BUNDLE_NAME_MAX];
};
/* The entry of directory `path` at or after *position, which moves behind it; false at the end. */
bool bundlefs_entry(const struct bundlefs *fs, const char *path, uint64_t *position, struct bundlefs_entry *out);
