/* Open files: the file service. */
#include "names.h"

#include <os/syscall.h>
#include <string.h>

uint8_t names_bulk[IPC_LENT_MAX];

static uint64_t now_ns(void)
{
    return os_clock(CLOCK_ID_REALTIME_NS);
}

static bool is_pipe(const struct open_file *file)
{
    return file->kind == OPEN_PIPE_READ || file->kind == OPEN_PIPE_WRITE;
}

static bool is_directory(const struct open_file *file)
{
    return file->kind == OPEN_BUNDLE_LIST ||
           (file->kind == OPEN_MEMORY && names.fs.nodes[file->index].kind == FILE_DIRECTORY);
}

/* The open file behind a request, if it may be used like that. */
static err_t file_for(struct request *r, uint32_t needs, struct open_file **out)
{
    *out = open_of_badge(r->badge);
    if (!*out)
        return E_BAD_HANDLE;
    return ((*out)->flags & needs) == needs ? E_OK : is_directory(*out) ? E_IS_DIRECTORY : E_ACCESS;
}

/* ---- reading ---- */

/* What kinds of files have in common: count bytes at offset, 0 at the end. */
static err_t read_at(const struct open_file *file, uint64_t offset, void *to, uint32_t count, uint32_t *done_out)
{
    *done_out = 0;
    if (is_directory(file))
        return E_IS_DIRECTORY;
    if (file->kind == OPEN_ZERO_DEVICE) {
        memset(to, 0, count);
        *done_out = count;
    } else if (file->kind == OPEN_MEMORY) {
        *done_out = memfs_read(&names.fs, file->index, offset, to, count);
    } else if (file->kind == OPEN_PART) {
        const struct bundle_part *part = &names.bundle.parts[file->index];
        uint64_t left = offset < part->bytes ? part->bytes - offset : 0;
        *done_out = count < left ? count : (uint32_t)left;
        memcpy(to, (const uint8_t *)bundle_tree_bytes(&names.bundle, part) + offset, *done_out);
    }
    return E_OK;
}

static err_t read_moving(struct open_file *file, uint64_t offset, void *to, uint32_t count, uint32_t *done_out)
{
    bool own = offset == FILE_OFFSET_OWN;
    err_t err = read_at(file, own ? file->position : offset, to, count, done_out);
    if (!err && own)
        file->position += *done_out;
    return err;
}

static err_t file_handle_read(struct request *r, const struct file_read_in *in, struct file_read_out *out)
{
    struct open_file *file;
    err_t err = file_for(r, OPEN_READ, &file);
    if (err)
        return err;
    if (is_pipe(file))
        return pipes_read(file, r, in, out);
    uint32_t count = in->count < FILE_READ_DATA_MAX ? in->count : FILE_READ_DATA_MAX;
    out->data = names_bulk;
    return read_moving(file, in->offset, names_bulk, count, &out->data_length);
}

static err_t file_handle_read_bulk(struct request *r, const struct file_read_bulk_in *in,
                                   struct file_read_bulk_out *out)
{
    struct open_file *file;
    err_t err = file_for(r, OPEN_READ, &file);
    if (err)
        return err;
    if (is_pipe(file))
        return in->offset == FILE_OFFSET_OWN ? pipes_read_bulk(file, r, in->data_length, &out->count) : E_INVALID;
    bool own = in->offset == FILE_OFFSET_OWN;
    err = read_at(file, own ? file->position : in->offset, names_bulk, (uint32_t)in->data_length, &out->count);
    if (!err)
        err = lent_write(r->reply, 0, names_bulk, out->count);
    if (!err && own)
        file->position += out->count;
    return err;
}

/* ---- writing ---- */

static err_t write_moving(struct open_file *file, uint64_t offset, const void *from, uint32_t count,
                          uint32_t *written_out)
{
    if (file->kind == OPEN_NULL_DEVICE) {
        *written_out = count;
        return E_OK;
    }
    if (file->kind != OPEN_MEMORY)
        return E_READ_ONLY;
    bool own = offset == FILE_OFFSET_OWN;
    if (own && file->flags & OPEN_APPEND)
        file->position = names.fs.nodes[file->index].bytes;
    err_t err = memfs_write(&names.fs, file->index, own ? file->position : offset, from, count, now_ns(), written_out);
    if (!err && own)
        file->position += *written_out;
    return err;
}

static err_t file_handle_write(struct request *r, const struct file_write_in *in, struct file_write_out *out)
{
    struct open_file *file;
    err_t err = file_for(r, OPEN_WRITE, &file);
    if (err)
        return err;
    if (is_pipe(file))
        return pipes_write(file, r, in, out);
    return write_moving(file, in->offset, in->data, in->data_length, &out->written);
}

static err_t file_handle_write_bulk(struct request *r, const struct file_write_bulk_in *in,
                                    struct file_write_bulk_out *out)
{
    struct open_file *file;
    err_t err = file_for(r, OPEN_WRITE, &file);
    if (err)
        return err;
    if (is_pipe(file))
        return in->offset == FILE_OFFSET_OWN ? pipes_write_bulk(file, r, in->data_length, &out->written) : E_INVALID;
    err = lent_read(r->reply, 0, names_bulk, in->data_length);
    return err ? err : write_moving(file, in->offset, names_bulk, (uint32_t)in->data_length, &out->written);
}

/* ---- the rest ---- */

static err_t file_handle_stat(struct request *r, const struct file_stat_in *in, struct file_stat_out *out)
{
    struct open_file *file;
    err_t err = file_for(r, 0, &file);
    if (err)
        return err;
    *out = (struct file_stat_out){.kind = is_pipe(file) ? FILE_PIPE : FILE_ENDPOINT, .mode = 0666, .inode = r->badge};
    if (file->kind == OPEN_MEMORY) {
        const struct memfs_node *node = &names.fs.nodes[file->index];
        *out = (struct file_stat_out){node->kind, node->mode, node->bytes, node->modified_ns, node->inode};
    } else if (file->kind == OPEN_PART) {
        const struct bundle_part *part = &names.bundle.parts[file->index];
        *out = (struct file_stat_out){
            .kind = FILE_REGULAR, .mode = part->mode, .bytes = part->bytes, .inode = (1ull << 32) + file->index};
    } else if (file->kind == OPEN_BUNDLE_LIST) {
        *out = (struct file_stat_out){
            .kind = FILE_DIRECTORY, .mode = 0555, .inode = bundle_tree_inode(&names.bundle, file->path)};
    } else if (is_pipe(file)) {
        out->bytes = pipe_filled(&names.pipes[file->index].pipe);
    }
    return E_OK;
}

static uint64_t file_bytes(const struct open_file *file)
{
    if (file->kind == OPEN_MEMORY)
        return names.fs.nodes[file->index].bytes;
    return file->kind == OPEN_PART ? names.bundle.parts[file->index].bytes : 0;
}

static err_t file_handle_seek(struct request *r, const struct file_seek_in *in, struct file_seek_out *out)
{
    struct open_file *file;
    err_t err = file_for(r, 0, &file);
    if (err)
        return err;
    if (is_pipe(file))
        return E_PIPE;
    if (in->whence > 2)
        return E_INVALID;
    int64_t base = in->whence == 0 ? 0 : in->whence == 1 ? (int64_t)file->position : (int64_t)file_bytes(file);
    int64_t position;
    if (__builtin_add_overflow(base, in->offset, &position) || position < 0)
        return E_RANGE;
    file->position = out->position = (uint64_t)position;
    return E_OK;
}

static err_t file_handle_truncate(struct request *r, const struct file_truncate_in *in, struct file_truncate_out *out)
{
    struct open_file *file;
    err_t err = file_for(r, OPEN_WRITE, &file);
    if (err)
        return err;
    return file->kind == OPEN_MEMORY ? memfs_truncate(&names.fs, file->index, in->bytes, now_ns()) : E_INVALID;
}

/* ---- directories ---- */

/* Appends one entry to names_bulk; false if it does not fit. */
static bool add_entry(uint32_t *used, enum file_kind kind, const char *name)
{
    uint32_t head[2] = {kind, (uint32_t)strlen(name)}, padded = (head[1] + 3) & ~3u;
    if (*used + sizeof head + padded > FILE_READDIR_ENTRIES_MAX)
        return false;
    memcpy(names_bulk + *used, head, sizeof head);
    memset(names_bulk + *used + sizeof head, 0, padded);
    memcpy(names_bulk + *used + sizeof head, name, head[1]);
    *used += (uint32_t)sizeof head + padded;
    return true;
}

static void list_memory(uint32_t dir, uint64_t base, uint64_t *position, uint32_t *used)
{
    for (;;) {
        uint32_t n = memfs_entry(&names.fs, dir, *position - base);
        if (n == MEMFS_NONE || !add_entry(used, names.fs.nodes[n].kind, names.fs.nodes[n].name))
            return;
        *position = base + names.fs.nodes[n].sequence + 1;
    }
}

/* The root lists the bundle's directories, then those in memory. */
#define ROOT_MEMORY_BASE (1ull << 32)

static void list_bundle(const struct open_file *file, uint64_t *position, uint32_t *used)
{
    struct bundle_tree_entry entry;
    while (*position < ROOT_MEMORY_BASE) {
        uint64_t next = *position;
        if (!bundle_tree_entry(&names.bundle, file->path, &next, &entry))
            break;
        bool hidden =
            file->path[1] == 0 && memfs_child(&names.fs, MEMFS_ROOT, entry.name, strlen(entry.name)) != MEMFS_NONE;
        if (!hidden && !add_entry(used, entry.directory ? FILE_DIRECTORY : FILE_REGULAR, entry.name))
            return;
        *position = next;
    }
    if (file->path[1] != 0)
        return;
    if (*position < ROOT_MEMORY_BASE)
        *position = ROOT_MEMORY_BASE;
    list_memory(MEMFS_ROOT, ROOT_MEMORY_BASE, position, used);
}

static err_t file_handle_readdir(struct request *r, const struct file_readdir_in *in, struct file_readdir_out *out)
{
    struct open_file *file;
    err_t err = file_for(r, 0, &file);
    if (err)
        return err;
    if (!is_directory(file))
        return E_NOT_DIRECTORY;
    out->next = in->position;
    out->entries = names_bulk;
    if (file->kind == OPEN_MEMORY)
        list_memory(file->index, 0, &out->next, &out->entries_length);
    else
        list_bundle(file, &out->next, &out->entries_length);
    return E_OK;
}

/* ---- poll ---- */

static err_t file_handle_poll(struct request *r, const struct file_poll_in *in, struct file_poll_out *out)
{
    struct open_file *file;
    err_t err = file_for(r, 0, &file);
    if (err)
        return err;
    if (!is_pipe(file)) {
        out->ready = in->events & (POLL_READABLE | POLL_WRITABLE);
        return E_OK;
    }
    out->ready = pipes_ready(file) & (in->events | POLL_HANGUP);
    return out->ready || !in->notification ? E_OK : polls_add((uint32_t)r->badge, in, r);
}

static err_t no_terminal_get(struct request *r, const struct file_terminal_get_in *in,
                             struct file_terminal_get_out *out)
{
    return E_NOT_SUPPORTED;
}

static err_t no_terminal_set(struct request *r, const struct file_terminal_set_in *in,
                             struct file_terminal_set_out *out)
{
    return E_NOT_SUPPORTED;
}

static err_t no_terminal_owner(struct request *r, const struct file_terminal_owner_in *in,
                               struct file_terminal_owner_out *out)
{
    return E_NOT_SUPPORTED;
}

const struct file_server file_handlers = {.read = file_handle_read,
                                          .write = file_handle_write,
                                          .read_bulk = file_handle_read_bulk,
                                          .write_bulk = file_handle_write_bulk,
                                          .stat = file_handle_stat,
                                          .seek = file_handle_seek,
                                          .truncate = file_handle_truncate,
                                          .readdir = file_handle_readdir,
                                          .terminal_get = no_terminal_get,
                                          .terminal_set = no_terminal_set,
                                          .terminal_owner = no_terminal_owner,
                                          .poll = file_handle_poll};
