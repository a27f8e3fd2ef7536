/* The part of the name space that lives in memory: a tree of directories, files (with holes), and nodes that stand for
 * something else (endpoints, /dev/null). Nodes are numbers; a node stays while it is linked or held open. Pure: time
 * and pages come from the caller. */
#pragma once

#include "pages.h"
#include "path.h"

#include <abi/file.h>

#define MEMFS_NODES_MAX  4096u
#define MEMFS_ROOT       0u
#define MEMFS_NONE       UINT32_MAX
#define MEMFS_DIRECT     4u
#define MEMFS_REFS       (PAGE_BYTES / sizeof(uint32_t))
#define MEMFS_FILE_PAGES (MEMFS_DIRECT + MEMFS_REFS * MEMFS_REFS)
#define MEMFS_FILE_MAX   (MEMFS_FILE_PAGES * PAGE_BYTES)

struct memfs_node {
    uint8_t kind; /* enum file_kind; 0: free */
    bool linked;
    uint16_t mode;
    uint32_t parent, first_child, last_child, next, previous;
    uint32_t holds;
    uint32_t tag;      /* the owner's, for nodes that are neither file nor directory */
    uint64_t sequence; /* rises with each link; readdir goes by it */
    uint64_t inode, bytes, modified_ns;
    uint32_t direct[MEMFS_DIRECT], table; /* table: page of refs to pages of refs */
    uint8_t name_bytes;
    char name[PATH_PART_MAX + 1];
};

struct memfs {
    struct pages *pages;
    uint32_t reserve;             /* pages that files leave to others: a full /tmp must not stop pipes */
    uint32_t next_new, free_list; /* free nodes are linked through `next` */
    uint64_t sequence;
    struct memfs_node nodes[MEMFS_NODES_MAX];
};

void memfs_init(struct memfs *fs, struct pages *pages);

/* The node of a canonical path. E_NO_ENTRY, E_NOT_DIRECTORY. */
err_t memfs_find(const struct memfs *fs, const char *path, uint32_t *node_out);
/* Its directory, and the last part of the path. E_INVALID for "/". */
err_t memfs_find_parent(const struct memfs *fs, const char *path, uint32_t *dir_out, const char **name_out);
uint32_t memfs_child(const struct memfs *fs, uint32_t dir, const char *name, size_t bytes);

/* A new, empty node. E_EXISTS, E_FULL. */
err_t memfs_create(struct memfs *fs, uint32_t dir, const char *name, enum file_kind kind, uint32_t mode,
                   uint64_t now_ns, uint32_t *node_out);
/* Takes the name away; the node goes when it is no longer held. directory: rmdir, else unlink. *gone_out (may be NULL)
 * tells whether it has gone already. E_IS_DIRECTORY, E_NOT_DIRECTORY, E_NOT_EMPTY, E_BUSY for the root. */
err_t memfs_unlink(struct memfs *fs, uint32_t node, bool directory, uint64_t now_ns);
/* Moves node to dir/name, replacing a file or empty directory there. */
err_t memfs_rename(struct memfs *fs, uint32_t node, uint32_t dir, const char *name, uint64_t now_ns);

void memfs_hold(struct memfs *fs, uint32_t node);
void memfs_release(struct memfs *fs, uint32_t node);

uint32_t memfs_read(const struct memfs *fs, uint32_t node, uint64_t offset, void *to, uint32_t count);
/* Writes as much as there are pages for; E_FULL only when that is nothing. */
err_t memfs_write(struct memfs *fs, uint32_t node, uint64_t offset, const void *from, uint32_t count, uint64_t now_ns,
                  uint32_t *written_out);
err_t memfs_truncate(struct memfs *fs, uint32_t node, uint64_t bytes, uint64_t now_ns);

/* The first entry whose sequence is at least `position`; MEMFS_NONE at the end. */
uint32_t memfs_entry(const struct memfs *fs, uint32_t dir, uint64_t position);
