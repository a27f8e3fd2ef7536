#include "memfs.h"

#include <base/assert.h>
#include <string.h>

/* ---- nodes ---- */

static uint32_t node_take(struct memfs *fs)
{
    uint32_t n = fs->free_list;
    if (n != MEMFS_NONE)
        fs->free_list = fs->nodes[n].next;
    else if (fs->next_new < MEMFS_NODES_MAX)
        n = fs->next_new++;
    else
        return MEMFS_NONE;
    struct memfs_node *node = &fs->nodes[n];
    memset(node, 0, offsetof(struct memfs_node, name));
    node->parent = node->first_child = node->last_child = node->next = node->previous = MEMFS_NONE;
    return n;
}

static void node_link(struct memfs *fs, uint32_t n, uint32_t dir, const char *name)
{
    struct memfs_node *node = &fs->nodes[n], *parent = &fs->nodes[dir];
    node->name_bytes = (uint8_t)strlen(name);
    memcpy(node->name, name, node->name_bytes + 1u);
    node->parent = dir;
    node->next = MEMFS_NONE;
    node->previous = parent->last_child;
    if (parent->last_child != MEMFS_NONE)
        fs->nodes[parent->last_child].next = n;
    else
        parent->first_child = n;
    parent->last_child = n;
    node->sequence = ++fs->sequence;
    node->linked = true;
}

static void node_unlink(struct memfs *fs, uint32_t n)
{
    struct memfs_node *node = &fs->nodes[n], *parent = &fs->nodes[node->parent];
    if (node->previous != MEMFS_NONE)
        fs->nodes[node->previous].next = node->next;
    else
        parent->first_child = node->next;
    if (node->next != MEMFS_NONE)
        fs->nodes[node->next].previous = node->previous;
    else
        parent->last_child = node->previous;
    node->linked = false;
}

static void node_free_if_unused(struct memfs *fs, uint32_t n)
{
    struct memfs_node *node = &fs->nodes[n];
    if (node->linked || node->holds > 0)
        return;
    if (node->kind == FILE_REGULAR)
        memfs_truncate(fs, n, 0, node->modified_ns);
    node->kind = 0;
    node->next = fs->free_list;
    fs->free_list = n;
}

void memfs_init(struct memfs *fs, struct pages *pages)
{
    fs->pages = pages;
    fs->reserve = 0;
    fs->next_new = 0;
    fs->free_list = MEMFS_NONE;
    fs->sequence = 0;
    uint32_t root = node_take(fs);
    ASSERT(root == MEMFS_ROOT);
    fs->nodes[root].kind = FILE_DIRECTORY;
    fs->nodes[root].mode = 0755;
    fs->nodes[root].linked = true;
    fs->nodes[root].name_bytes = 0;
    fs->nodes[root].name[0] = 0;
}

void memfs_hold(struct memfs *fs, uint32_t n)
{
    fs->nodes[n].holds++;
}

void memfs_release(struct memfs *fs, uint32_t n)
{
    ASSERT(fs->nodes[n].holds > 0);
    fs->nodes[n].holds--;
    node_free_if_unused(fs, n);
}

/* ---- names ---- */

uint32_t memfs_child(const struct memfs *fs, uint32_t dir, const char *name, size_t bytes)
{
    for (uint32_t n = fs->nodes[dir].first_child; n != MEMFS_NONE; n = fs->nodes[n].next)
        if (fs->nodes[n].name_bytes == bytes && memcmp(fs->nodes[n].name, name, bytes) == 0)
            return n;
    return MEMFS_NONE;
}

err_t memfs_find(const struct memfs *fs, const char *path, uint32_t *node_out)
{
    uint32_t n = MEMFS_ROOT;
    size_t at = 0, bytes;
    const char *part;
    while (path_next(path, &at, &part, &bytes)) {
        if (fs->nodes[n].kind != FILE_DIRECTORY)
            return E_NOT_DIRECTORY;
        n = memfs_child(fs, n, part, bytes);
        if (n == MEMFS_NONE)
            return E_NO_ENTRY;
    }
    *node_out = n;
    return E_OK;
}

err_t memfs_find_parent(const struct memfs *fs, const char *path, uint32_t *dir_out, const char **name_out)
{
    const char *slash = strrchr(path, '/');
    struct path parent;
    if (!slash || slash[1] == 0)
        return E_INVALID;
    size_t bytes = (size_t)(slash - path);
    memcpy(parent.text, path, bytes);
    parent.text[bytes] = 0;
    err_t err = memfs_find(fs, parent.text, dir_out);
    if (err)
        return err;
    if (fs->nodes[*dir_out].kind != FILE_DIRECTORY)
        return E_NOT_DIRECTORY;
    *name_out = slash + 1;
    return E_OK;
}

err_t memfs_create(struct memfs *fs, uint32_t dir, const char *name, enum file_kind kind, uint32_t mode,
                   uint64_t now_ns, uint32_t *node_out)
{
    size_t bytes = strlen(name);
    ASSERT(bytes > 0 && bytes <= PATH_PART_MAX && fs->nodes[dir].kind == FILE_DIRECTORY);
    if (!fs->nodes[dir].linked)
        return E_NO_ENTRY;
    if (memfs_child(fs, dir, name, bytes) != MEMFS_NONE)
        return E_EXISTS;
    uint32_t n = node_take(fs);
    if (n == MEMFS_NONE)
        return E_FULL;
    struct memfs_node *node = &fs->nodes[n];
    node->kind = (uint8_t)kind;
    node->mode = (uint16_t)(mode & 0777);
    node->modified_ns = now_ns;
    node_link(fs, n, dir, name);
    node->inode = node->sequence; /* never given twice */
    fs->nodes[dir].modified_ns = now_ns;
    *node_out = n;
    return E_OK;
}

err_t memfs_unlink(struct memfs *fs, uint32_t n, bool directory, uint64_t now_ns)
{
    struct memfs_node *node = &fs->nodes[n];
    if (n == MEMFS_ROOT)
        return E_BUSY;
    if (directory && node->kind != FILE_DIRECTORY)
        return E_NOT_DIRECTORY;
    if (!directory && node->kind == FILE_DIRECTORY)
        return E_IS_DIRECTORY;
    if (node->first_child != MEMFS_NONE)
        return E_NOT_EMPTY;
    node_unlink(fs, n);
    fs->nodes[node->parent].modified_ns = now_ns;
    node_free_if_unused(fs, n);
    return E_OK;
}

static bool is_inside(const struct memfs *fs, uint32_t dir, uint32_t ancestor)
{
    for (uint32_t n = dir;; n = fs->nodes[n].parent) {
        if (n == ancestor)
            return true;
        if (n == MEMFS_ROOT || n == MEMFS_NONE)
            return false;
    }
}

err_t memfs_rename(struct memfs *fs, uint32_t n, uint32_t dir, const char *name, uint64_t now_ns)
{
    struct memfs_node *node = &fs->nodes[n];
    uint32_t old = memfs_child(fs, dir, name, strlen(name));
    if (old == n)
        return E_OK;
    if (n == MEMFS_ROOT || is_inside(fs, dir, n))
        return E_INVALID;
    if (old != MEMFS_NONE) {
        bool directory = fs->nodes[old].kind == FILE_DIRECTORY;
        if (directory != (node->kind == FILE_DIRECTORY))
            return directory ? E_IS_DIRECTORY : E_NOT_DIRECTORY;
        err_t err = memfs_unlink(fs, old, directory, now_ns);
        if (err)
            return err;
    }
    fs->nodes[node->parent].modified_ns = now_ns;
    node_unlink(fs, n);
    node_link(fs, n, dir, name);
    fs->nodes[dir].modified_ns = now_ns;
    return E_OK;
}

uint32_t memfs_entry(const struct memfs *fs, uint32_t dir, uint64_t position)
{
    uint32_t n = fs->nodes[dir].first_child;
    while (n != MEMFS_NONE && fs->nodes[n].sequence < position)
        n = fs->nodes[n].next;
    return n;
}

/* ---- contents ---- */

/* Where the reference to page `index` of a file is kept; NULL if its table is not there (and, with `make`, cannot be).
 */
static uint32_t *page_slot(struct memfs *fs, struct memfs_node *node, uint64_t index, bool make)
{
    if (index < MEMFS_DIRECT)
        return &node->direct[index];
    index -= MEMFS_DIRECT;
    uint32_t *table = &node->table;
    if (*table == PAGE_REF_NONE && (!make || (*table = pages_take_leaving(fs->pages, fs->reserve)) == PAGE_REF_NONE))
        return NULL;
    uint32_t *refs = (uint32_t *)pages_at(fs->pages, *table) + index / MEMFS_REFS;
    if (*refs == PAGE_REF_NONE && (!make || (*refs = pages_take_leaving(fs->pages, fs->reserve)) == PAGE_REF_NONE))
        return NULL;
    return (uint32_t *)pages_at(fs->pages, *refs) + index % MEMFS_REFS;
}

static uint32_t page_of(const struct memfs *fs, uint32_t n, uint64_t index)
{
    uint32_t *slot = page_slot((struct memfs *)fs, (struct memfs_node *)&fs->nodes[n], index, false);
    return slot ? *slot : PAGE_REF_NONE;
}

static uint32_t min_u32(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

uint32_t memfs_read(const struct memfs *fs, uint32_t n, uint64_t offset, void *to, uint32_t count)
{
    const struct memfs_node *node = &fs->nodes[n];
    if (offset >= node->bytes)
        return 0;
    count = min_u32(count, node->bytes - offset);
    for (uint32_t done = 0; done < count;) {
        uint32_t in_page = (uint32_t)((offset + done) % PAGE_BYTES);
        uint32_t part = min_u32(count - done, PAGE_BYTES - in_page);
        uint32_t page = page_of(fs, n, (offset + done) / PAGE_BYTES);
        if (page == PAGE_REF_NONE)
            memset((uint8_t *)to + done, 0, part);
        else
            memcpy((uint8_t *)to + done, (uint8_t *)pages_at(fs->pages, page) + in_page, part);
        done += part;
    }
    return count;
}

err_t memfs_write(struct memfs *fs, uint32_t n, uint64_t offset, const void *from, uint32_t count, uint64_t now_ns,
                  uint32_t *written_out)
{
    struct memfs_node *node = &fs->nodes[n];
    uint32_t done = 0;
    *written_out = 0;
    if (count > 0 && (offset >= MEMFS_FILE_MAX || count > MEMFS_FILE_MAX - offset))
        return E_FULL;
    while (done < count) {
        uint32_t in_page = (uint32_t)((offset + done) % PAGE_BYTES);
        uint32_t part = min_u32(count - done, PAGE_BYTES - in_page);
        uint32_t *slot = page_slot(fs, node, (offset + done) / PAGE_BYTES, true);
        if (!slot || (*slot == PAGE_REF_NONE && (*slot = pages_take_leaving(fs->pages, fs->reserve)) == PAGE_REF_NONE))
            break;
        memcpy((uint8_t *)pages_at(fs->pages, *slot) + in_page, (const uint8_t *)from + done, part);
        done += part;
    }
    if (done == 0 && count > 0)
        return E_FULL;
    if (done > 0 && offset + done > node->bytes)
        node->bytes = offset + done;
    if (done > 0)
        node->modified_ns = now_ns;
    *written_out = done;
    return E_OK;
}

static void slot_give(struct memfs *fs, uint32_t *slot)
{
    if (*slot != PAGE_REF_NONE)
        pages_give(fs->pages, *slot);
    *slot = PAGE_REF_NONE;
}

/* Gives back the pages of one table of references from `first` on; the table too if nothing before that stays. */
static void refs_cut(struct memfs *fs, uint32_t *refs_page, uint64_t first)
{
    if (*refs_page == PAGE_REF_NONE)
        return;
    uint32_t *refs = pages_at(fs->pages, *refs_page);
    for (uint64_t i = first; i < MEMFS_REFS; i++)
        slot_give(fs, &refs[i]);
    if (first == 0)
        slot_give(fs, refs_page);
}

static void pages_cut(struct memfs *fs, struct memfs_node *node, uint64_t first)
{
    for (uint64_t i = first; i < MEMFS_DIRECT; i++)
        slot_give(fs, &node->direct[i]);
    if (node->table == PAGE_REF_NONE)
        return;
    first = first < MEMFS_DIRECT ? 0 : first - MEMFS_DIRECT;
    uint32_t *tables = pages_at(fs->pages, node->table);
    for (uint64_t t = first / MEMFS_REFS; t < MEMFS_REFS; t++)
        refs_cut(fs, &tables[t], t == first / MEMFS_REFS ? first % MEMFS_REFS : 0);
    if (first == 0)
        slot_give(fs, &node->table);
}

err_t memfs_truncate(struct memfs *fs, uint32_t n, uint64_t bytes, uint64_t now_ns)
{
    struct memfs_node *node = &fs->nodes[n];
    if (bytes > MEMFS_FILE_MAX)
        return E_FULL;
    if (bytes <= node->bytes) { /* a write that found no room may have left tables beyond the end */
        pages_cut(fs, node, (bytes + PAGE_BYTES - 1) / PAGE_BYTES);
        uint32_t last = bytes % PAGE_BYTES ? page_of(fs, n, bytes / PAGE_BYTES) : PAGE_REF_NONE;
        if (last != PAGE_REF_NONE) /* what a later, longer file shows there must be zero */
            memset((uint8_t *)pages_at(fs->pages, last) + bytes % PAGE_BYTES, 0, PAGE_BYTES - bytes % PAGE_BYTES);
    }
    node->bytes = bytes;
    node->modified_ns = now_ns;
    return E_OK;
}
