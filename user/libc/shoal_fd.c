/* Descriptors from handles and back. */
#include <fcntl.h>
#include <shoal/fd.h>

#include "libc.h"

int shoal_fd_open(handle_t file)
{
    return fd_open(file, 0, O_RDWR, 0);
}

handle_t shoal_fd_handle(int fd)
{
    struct open_file *file = file_of(fd);
    if (!file)
        return HANDLE_NONE;
    handle_t handle = file->handle;
    file_release(file); /* the descriptor still holds it */
    return handle;
}
