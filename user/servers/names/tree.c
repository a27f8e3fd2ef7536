/* Paths: the names service. /tmp, /dev and /svc are nodes in memory, everything else is the boot bundle. */
#include "names.h"

#include <idl/supervisor.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <string.h>

static uint64_t now_ns(void)
{
    return os_clock(CLOCK_ID_REALTIME_NS);
}

static bool starts_with(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return strncmp(path, dir, n) == 0 && (path[n] == 0 || path[n] == '/');
}

static bool is_in_memory(const char *path)
{
    return starts_with(path, "/tmp") || starts_with(path, "/dev") || starts_with(path, "/svc");
}

/* May names come and go here? */
static bool is_below_tmp(const char *path)
{
    return starts_with(path, "/tmp") && path[4] == '/';
}
static bool is_bindable(const char *path)
{
    return (starts_with(path, "/dev") || starts_with(path, "/svc")) && path[4] == '/';
}

static err_t take_path(struct request *r, const char *text, struct path *out)
{
    return r->badge == 0 ? path_normalize(text, out) : E_ACCESS;
}

/* ---- services and devices ---- */

static err_t link_take(const char *service, handle_t endpoint, uint32_t *link_out)
{
    for (uint32_t i = 0; i < NAMES_LINKS_MAX; i++) {
        struct link *link = &names.links[i];
        if (link->used)
            continue;
        *link = (struct link){.used = true, .endpoint = endpoint};
        strncpy(link->service, service, sizeof link->service - 1);
        *link_out = i;
        return E_OK;
    }
    return E_FULL;
}

static void add_node(const char *path, enum file_kind kind, uint32_t mode, uint32_t tag)
{
    uint32_t dir, node;
    const char *name;
    if (memfs_find_parent(&names.fs, path, &dir, &name) == E_OK &&
        memfs_create(&names.fs, dir, name, kind, mode, now_ns(), &node) == E_OK)
        names.fs.nodes[node].tag = tag;
}

void tree_add_service(const char *path, const char *service)
{
    uint32_t link;
    if (is_bindable(path) && link_take(service, HANDLE_NONE, &link) == E_OK)
        add_node(path, starts_with(path, "/dev") ? FILE_TERMINAL : FILE_ENDPOINT, 0666, link);
}

void tree_init(void)
{
    memfs_init(&names.fs, &names.pages);
    names.fs.reserve = names.pages.limit / 8;
    add_node("/tmp", FILE_DIRECTORY, 0777, 0);
    add_node("/dev", FILE_DIRECTORY, 0755, 0);
    add_node("/svc", FILE_DIRECTORY, 0755, 0);
    add_node("/dev/null", FILE_ENDPOINT, 0666, TAG_NULL_DEVICE);
    add_node("/dev/zero", FILE_ENDPOINT, 0444, TAG_ZERO_DEVICE);
}

static err_t open_link(const struct memfs_node *node, struct names_open_out *out)
{
    const struct link *link = &names.links[node->tag];
    out->kind = node->kind;
    out->file = link->endpoint;
    if (link->endpoint)
        return E_OK;
    out->file_give = true;
    err_t err = supervisor_find(os_startup_handle(STARTUP_SUPERVISOR), os_deadline_ms(1000), link->service, &out->file);
    return err == E_NOT_FOUND || err == E_ACCESS ? E_NO_ENTRY : err;
}

static err_t open_service(const struct memfs_node *node, uint32_t flags, struct names_open_out *out)
{
    if (flags & OPEN_DIRECTORY)
        return E_NOT_DIRECTORY;
    if (node->tag < NAMES_LINKS_MAX)
        return open_link(node, out);
    out->kind = FILE_ENDPOINT;
    out->file_give = true;
    return open_make(node->tag == TAG_NULL_DEVICE ? OPEN_NULL_DEVICE : OPEN_ZERO_DEVICE, 0, flags, &out->file, NULL);
}

/* ---- open ---- */

static err_t open_bundle(const struct path *path, uint32_t flags, struct names_open_out *out)
{
    const struct bundle_part *part = path->must_be_directory ? NULL : bundle_tree_find(&names.bundle, path->text);
    bool directory = !part && bundle_tree_is_directory(&names.bundle, path->text);
    if (!part && !directory)
        return bundle_tree_find(&names.bundle, path->text) ? E_NOT_DIRECTORY
               : flags & OPEN_CREATE                       ? E_READ_ONLY
                                                           : E_NO_ENTRY;
    if (flags & OPEN_CREATE && flags & OPEN_EXCLUSIVE)
        return E_EXISTS;
    if (flags & (OPEN_WRITE | OPEN_TRUNCATE | OPEN_APPEND))
        return directory ? E_IS_DIRECTORY : E_READ_ONLY;
    if (part && flags & OPEN_DIRECTORY)
        return E_NOT_DIRECTORY;
    struct open_file *file;
    uint32_t index = part ? (uint32_t)(part - names.bundle.parts) : 0;
    err_t err = open_make(part ? OPEN_PART : OPEN_BUNDLE_LIST, index, flags, &out->file, &file);
    if (err)
        return err;
    if (directory) /* shorter than a part's name: it is the prefix of one */
        strcpy(file->path, path->text);
    out->file_give = true;
    out->kind = part ? FILE_REGULAR : FILE_DIRECTORY;
    out->bytes = part ? part->bytes : 0;
    return E_OK;
}

/* The node to open; made if that is asked for. */
static err_t find_or_create(const struct path *path, uint32_t flags, uint32_t mode, uint32_t *node_out)
{
    err_t err = memfs_find(&names.fs, path->text, node_out);
    if (err == E_OK)
        return flags & OPEN_CREATE && flags & OPEN_EXCLUSIVE ? E_EXISTS : E_OK;
    if (err != E_NO_ENTRY || !(flags & OPEN_CREATE))
        return err;
    if (!is_below_tmp(path->text))
        return E_READ_ONLY;
    if (path->must_be_directory || flags & OPEN_DIRECTORY)
        return E_NO_ENTRY;
    uint32_t dir;
    const char *name;
    err = memfs_find_parent(&names.fs, path->text, &dir, &name);
    return err ? err : memfs_create(&names.fs, dir, name, FILE_REGULAR, mode, now_ns(), node_out);
}

static err_t open_memory(const struct path *path, uint32_t flags, uint32_t mode, struct names_open_out *out)
{
    uint32_t n;
    err_t err = find_or_create(path, flags, mode, &n);
    if (err)
        return err;
    const struct memfs_node *node = &names.fs.nodes[n];
    if (node->kind != FILE_DIRECTORY && path->must_be_directory)
        return E_NOT_DIRECTORY;
    if (node->kind == FILE_ENDPOINT || node->kind == FILE_TERMINAL)
        return open_service(node, flags, out);
    if (node->kind == FILE_DIRECTORY && flags & (OPEN_WRITE | OPEN_TRUNCATE | OPEN_APPEND))
        return E_IS_DIRECTORY;
    if (node->kind == FILE_REGULAR && flags & OPEN_DIRECTORY)
        return E_NOT_DIRECTORY;
    err = open_make(OPEN_MEMORY, n, flags, &out->file, NULL);
    if (err)
        return err;
    if (flags & OPEN_TRUNCATE)
        memfs_truncate(&names.fs, n, 0, now_ns());
    out->file_give = true;
    out->kind = node->kind;
    out->bytes = node->bytes;
    return E_OK;
}

static err_t tree_open(struct request *r, const struct names_open_in *in, struct names_open_out *out)
{
    struct path path;
    err_t err = take_path(r, in->path, &path);
    if (err)
        return err;
    if (in->flags & ~(uint32_t)(OPEN_READ | OPEN_WRITE | OPEN_CREATE | OPEN_EXCLUSIVE | OPEN_TRUNCATE | OPEN_APPEND |
                                OPEN_DIRECTORY))
        return E_INVALID;
    if (in->flags & OPEN_TRUNCATE && !(in->flags & OPEN_WRITE))
        return E_INVALID;
    return is_in_memory(path.text) ? open_memory(&path, in->flags, in->mode, out) : open_bundle(&path, in->flags, out);
}

/* ---- the rest ---- */

static err_t stat_memory(const struct path *path, struct names_stat_out *out)
{
    uint32_t n;
    err_t err = memfs_find(&names.fs, path->text, &n);
    if (err)
        return err;
    const struct memfs_node *node = &names.fs.nodes[n];
    if (path->must_be_directory && node->kind != FILE_DIRECTORY)
        return E_NOT_DIRECTORY;
    *out = (struct names_stat_out){node->kind, node->mode, node->bytes, node->modified_ns, node->inode};
    return E_OK;
}

static err_t tree_stat(struct request *r, const struct names_stat_in *in, struct names_stat_out *out)
{
    struct path path;
    err_t err = take_path(r, in->path, &path);
    if (err)
        return err;
    if (is_in_memory(path.text))
        return stat_memory(&path, out);
    const struct bundle_part *part = bundle_tree_find(&names.bundle, path.text);
    if (part && path.must_be_directory)
        return E_NOT_DIRECTORY;
    if (!part && !bundle_tree_is_directory(&names.bundle, path.text))
        return E_NO_ENTRY;
    *out = (struct names_stat_out){.kind = part ? FILE_REGULAR : FILE_DIRECTORY,
                                   .mode = part ? part->mode : 0555,
                                   .bytes = part ? part->bytes : 0,
                                   .inode = bundle_tree_inode(&names.bundle, path.text)};
    return E_OK;
}

/* What a path that is to be changed names: E_READ_ONLY outside of what may change. */
static err_t find_changeable(const struct path *path, uint32_t *node_out)
{
    if (is_below_tmp(path->text) || is_bindable(path->text))
        return memfs_find(&names.fs, path->text, node_out);
    bool exists = is_in_memory(path->text) || bundle_tree_find(&names.bundle, path->text) ||
                  bundle_tree_is_directory(&names.bundle, path->text);
    return exists ? E_READ_ONLY : E_NO_ENTRY;
}

static err_t tree_unlink(struct request *r, const struct names_unlink_in *in, struct names_unlink_out *out)
{
    struct path path;
    uint32_t n;
    err_t err = take_path(r, in->path, &path);
    if (!err)
        err = find_changeable(&path, &n);
    if (err)
        return err;
    const struct memfs_node *node = &names.fs.nodes[n];
    bool is_link = node->kind == FILE_ENDPOINT || node->kind == FILE_TERMINAL;
    uint32_t tag = node->tag;
    if (is_link && (tag >= NAMES_LINKS_MAX || !names.links[tag].endpoint))
        return E_READ_ONLY; /* built in */
    if (path.must_be_directory && node->kind != FILE_DIRECTORY)
        return E_NOT_DIRECTORY;
    err = memfs_unlink(&names.fs, n, in->directory != 0, now_ns());
    if (err == E_OK && is_link) {
        os_handle_close(names.links[tag].endpoint);
        names.links[tag].used = false;
    }
    return err;
}

static err_t tree_mkdir(struct request *r, const struct names_mkdir_in *in, struct names_mkdir_out *out)
{
    struct path path;
    uint32_t dir, node;
    const char *name;
    err_t err = take_path(r, in->path, &path);
    if (err)
        return err;
    if (!is_below_tmp(path.text)) {
        bool exists = is_in_memory(path.text) ? memfs_find(&names.fs, path.text, &node) == E_OK
                                              : bundle_tree_is_directory(&names.bundle, path.text) ||
                                                    bundle_tree_find(&names.bundle, path.text);
        return exists ? E_EXISTS : E_READ_ONLY;
    }
    err = memfs_find_parent(&names.fs, path.text, &dir, &name);
    return err ? err : memfs_create(&names.fs, dir, name, FILE_DIRECTORY, in->mode, now_ns(), &node);
}

static err_t tree_rename(struct request *r, const struct names_rename_in *in, struct names_rename_out *out)
{
    struct path from, to;
    uint32_t node, dir;
    const char *name;
    err_t err = take_path(r, in->from, &from);
    if (!err)
        err = take_path(r, in->to, &to);
    if (!err)
        err = find_changeable(&from, &node);
    if (err)
        return err;
    if (!is_below_tmp(from.text) || !is_below_tmp(to.text))
        return E_READ_ONLY;
    if ((from.must_be_directory || to.must_be_directory) && names.fs.nodes[node].kind != FILE_DIRECTORY)
        return E_NOT_DIRECTORY;
    err = memfs_find_parent(&names.fs, to.text, &dir, &name);
    return err ? err : memfs_rename(&names.fs, node, dir, name, now_ns());
}

static err_t tree_bind(struct request *r, const struct names_bind_in *in, struct names_bind_out *out)
{
    struct path path;
    uint32_t dir, node, link;
    const char *name;
    err_t err = take_path(r, in->path, &path);
    if (!err && !is_bindable(path.text))
        err = E_READ_ONLY;
    if (!err)
        err = memfs_find_parent(&names.fs, path.text, &dir, &name);
    if (!err)
        err = link_take("", in->endpoint, &link);
    if (err)
        return err;
    err = memfs_create(&names.fs, dir, name, FILE_ENDPOINT, 0666, now_ns(), &node);
    if (err) {
        names.links[link].used = false;
        return err;
    }
    names.fs.nodes[node].tag = link;
    request_take(r, in->endpoint);
    return E_OK;
}

static err_t tree_pipe(struct request *r, const struct names_pipe_in *in, struct names_pipe_out *out)
{
    if (r->badge != 0)
        return E_ACCESS;
    out->read_end_give = out->write_end_give = true;
    return pipes_make(&out->read_end, &out->write_end);
}

const struct names_server tree_handlers = {.open = tree_open,
                                           .stat = tree_stat,
                                           .unlink = tree_unlink,
                                           .mkdir = tree_mkdir,
                                           .rename = tree_rename,
                                           .bind = tree_bind,
                                           .pipe = tree_pipe};
