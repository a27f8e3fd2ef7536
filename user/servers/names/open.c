/* The table of open files. */
#include "names.h"

#include <os/syscall.h>
#include <string.h>

struct open_file *open_of_badge(uint64_t badge)
{
    if (badge == 0 || badge > NAMES_FILES_MAX || names.files[badge - 1].kind == OPEN_NONE)
        return NULL;
    return &names.files[badge - 1];
}

err_t open_make(enum open_kind kind, uint32_t index, uint32_t flags, handle_t *handle_out, struct open_file **file_out)
{
    uint32_t i = 0;
    while (i < NAMES_FILES_MAX && names.files[i].kind != OPEN_NONE)
        i++;
    if (i == NAMES_FILES_MAX)
        return E_FULL;
    err_t err = os_handle_mint(names.endpoint, i + 1, RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INFO, handle_out);
    if (err)
        return err;
    names.files[i] = (struct open_file){.kind = (uint8_t)kind, .flags = (uint8_t)flags, .index = index};
    if (kind == OPEN_MEMORY)
        memfs_hold(&names.fs, index);
    if (file_out)
        *file_out = &names.files[i];
    return E_OK;
}

void open_closed(uint64_t badge)
{
    struct open_file *file = open_of_badge(badge);
    if (!file)
        return;
    polls_forget((uint32_t)badge);
    if (file->kind == OPEN_MEMORY)
        memfs_release(&names.fs, file->index);
    if (file->kind == OPEN_PIPE_READ || file->kind == OPEN_PIPE_WRITE)
        pipes_end_closed(file);
    file->kind = OPEN_NONE;
}
