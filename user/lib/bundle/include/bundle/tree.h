/* The boot bundle as read-only files; directories are the prefixes of its part names. Pure. */
#pragma once

#include <abi/bundle.h>

struct bundle_tree {
    const uint8_t *base;
    uint64_t bytes;
    const struct bundle_part *parts;
    uint32_t count;
};

/* Takes a bundle mapped at base. E_CORRUPT if its table does not lie inside it. */
err_t bundle_tree_init(struct bundle_tree *fs, const void *base, uint64_t bytes);

/* The part behind a canonical path ("/bin/sh"); NULL: no such file. */
const struct bundle_part *bundle_tree_find(const struct bundle_tree *fs, const char *path);
const void *bundle_tree_bytes(const struct bundle_tree *fs, const struct bundle_part *part);
/* A number that no other path of the bundle has. */
uint64_t bundle_tree_inode(const struct bundle_tree *fs, const char *path);
bool bundle_tree_is_directory(const struct bundle_tree *fs, const char *path);

struct bundle_tree_entry {
    bool directory;
    char name[BUNDLE_NAME_MAX];
};
/* The entry of directory `path` at or after *position, which moves behind it; false at the end. */
bool bundle_tree_entry(const struct bundle_tree *fs, const char *path, uint64_t *position,
                       struct bundle_tree_entry *out);
