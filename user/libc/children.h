/* The processes that this one started; between spawn.c and children.c. */
#pragma once

#include <abi/types.h>
#include <sys/types.h>

/* Takes the control handle of a process over, on success. E_FULL: too many children that nobody waited for. */
err_t children_add(handle_t control, uint64_t process_id);

/* The process service of the node this process runs on; HANDLE_NONE without. Stays libc's. */
handle_t children_server(void);
