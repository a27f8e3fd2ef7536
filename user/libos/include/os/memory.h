/* Memory objects and mappings of this process, paid by its own Budget. */
#pragma once

#include <abi/types.h>

struct os_memory {
    handle_t handle;
    void *at;
    uint64_t bytes; /* whole pages */
};

/* Zeroed memory, mapped read-write. `flags`: enum memory_flags. */
err_t os_memory_create(uint64_t bytes, uint32_t flags, struct os_memory *memory_out);

/* Maps all of a Memory that somebody passed; takes the handle over only on success. */
err_t os_memory_attach(handle_t handle, uint32_t vm_flags, struct os_memory *memory_out);

void os_memory_destroy(struct os_memory *memory);

/* Anonymous memory without a handle of its own; freed with os_vm_unmap. */
err_t os_pages(uint64_t bytes, void **at_out);
