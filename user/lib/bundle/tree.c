#include <bundle/tree.h>

#include <string.h>

err_t bundle_tree_init(struct bundle_tree *fs, const void *base, uint64_t bytes)
{
    const struct bundle_header *header = base;
    if (bytes < sizeof *header || memcmp(header->magic, BUNDLE_MAGIC, sizeof header->magic) != 0)
        return E_CORRUPT;
    uint64_t table_bytes = (uint64_t)header->part_count * sizeof(struct bundle_part);
    if (header->part_count > BUNDLE_PARTS_MAX || header->table_offset > bytes ||
        table_bytes > bytes - header->table_offset)
        return E_CORRUPT;
    *fs = (struct bundle_tree){base, bytes, (const void *)((const uint8_t *)base + header->table_offset),
                               header->part_count};
    for (uint32_t i = 0; i < fs->count; i++) {
        const struct bundle_part *part = &fs->parts[i];
        if (part->name[BUNDLE_NAME_MAX - 1] != 0 || part->offset > bytes || part->bytes > bytes - part->offset)
            return E_CORRUPT;
    }
    return E_OK;
}

const void *bundle_tree_bytes(const struct bundle_tree *fs, const struct bundle_part *part)
{
    return fs->base + part->offset;
}

const struct bundle_part *bundle_tree_find(const struct bundle_tree *fs, const char *path)
{
    for (uint32_t i = 0; i < fs->count; i++)
        if (fs->parts[i].kind == BUNDLE_FILE && strcmp(fs->parts[i].name, path + 1) == 0)
            return &fs->parts[i];
    return NULL;
}

/* What follows "dir/" in the part's name; NULL if it does not lie in that directory. */
static const char *name_inside(const struct bundle_part *part, const char *path)
{
    size_t n = strlen(path + 1);
    if (part->kind != BUNDLE_FILE)
        return NULL;
    if (n == 0)
        return part->name;
    return strncmp(part->name, path + 1, n) == 0 && part->name[n] == '/' ? part->name + n + 1 : NULL;
}

bool bundle_tree_is_directory(const struct bundle_tree *fs, const char *path)
{
    for (uint32_t i = 0; i < fs->count; i++)
        if (name_inside(&fs->parts[i], path))
            return true;
    return path[1] == 0;
}

uint64_t bundle_tree_inode(const struct bundle_tree *fs, const char *path)
{
    for (uint32_t i = 0; i < fs->count; i++)
        if (strcmp(fs->parts[i].name, path + 1) == 0)
            return (1ull << 32) + i;
    for (uint32_t i = 0; i < fs->count; i++) /* a directory: by the first part in it, and its depth */
        if (name_inside(&fs->parts[i], path))
            return (2ull << 32) + ((uint64_t)strlen(path) << 16) + i;
    return 2ull << 32;
}

static size_t first_part(const char *name)
{
    size_t n = 0;
    while (name[n] && name[n] != '/')
        n++;
    return n;
}

static bool seen_before(const struct bundle_tree *fs, const char *path, uint32_t index, const char *name, size_t bytes)
{
    for (uint32_t i = 0; i < index; i++) {
        const char *other = name_inside(&fs->parts[i], path);
        if (other && first_part(other) == bytes && memcmp(other, name, bytes) == 0)
            return true;
    }
    return false;
}

bool bundle_tree_entry(const struct bundle_tree *fs, const char *path, uint64_t *position,
                       struct bundle_tree_entry *out)
{
    for (; *position < fs->count; ++*position) {
        uint32_t i = (uint32_t)*position;
        const char *name = name_inside(&fs->parts[i], path);
        size_t bytes = name ? first_part(name) : 0;
        if (bytes == 0 || seen_before(fs, path, i, name, bytes))
            continue;
        memcpy(out->name, name, bytes);
        out->name[bytes] = 0;
        out->directory = name[bytes] == '/';
        ++*position;
        return true;
    }
    return false;
}
