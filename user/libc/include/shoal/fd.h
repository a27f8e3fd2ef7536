/* Between descriptors of the C library and handles of Shoal. */
#pragma once

#include <abi/types.h>

/* A descriptor for an Endpoint of the file service; takes the handle over, also on failure (-1 and errno). */
int shoal_fd_open(handle_t file);

/* The Endpoint behind a descriptor; it stays the descriptor's. HANDLE_NONE and errno EBADF if there is none. */
handle_t shoal_fd_handle(int fd);
