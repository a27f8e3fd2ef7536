/* Memory objects and mappings of this process. */
#include <os/memory.h>
#include <os/startup.h>
#include <os/syscall.h>

static uint64_t pages_up(uint64_t bytes)
{
    return (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

static err_t map_all(handle_t handle, uint64_t bytes, uint32_t vm_flags, struct os_memory *memory_out)
{
    uint64_t at;
    err_t err = os_vm_map(os_process(), handle, 0, bytes, 0, vm_flags, &at);
    if (err == E_OK)
        *memory_out = (struct os_memory){.handle = handle, .at = (void *)at, .bytes = bytes};
    return err;
}

err_t os_memory_create(uint64_t bytes, uint32_t flags, struct os_memory *memory_out)
{
    handle_t handle;
    if (bytes == 0 || bytes > 1ull << 40)
        return E_RANGE;
    bytes = pages_up(bytes);
    err_t err = os_create(os_budget(), OBJECT_MEMORY, bytes, flags, 0, &handle);
    if (err != E_OK)
        return err;
    err = map_all(handle, bytes, VM_READ | VM_WRITE, memory_out);
    if (err != E_OK)
        os_handle_close(handle);
    return err;
}

err_t os_memory_attach(handle_t handle, uint32_t vm_flags, struct os_memory *memory_out)
{
    struct memory_info info;
    err_t err = os_control(handle, OP_MEMORY_INFO, (uint64_t)&info, 0, 0, 0).err;
    return err == E_OK ? map_all(handle, info.bytes, vm_flags, memory_out) : err;
}

void os_memory_destroy(struct os_memory *memory)
{
    if (memory->at)
        os_vm_unmap(os_process(), (uint64_t)memory->at, memory->bytes);
    if (memory->handle)
        os_handle_close(memory->handle);
    *memory = (struct os_memory){0};
}

err_t os_pages(uint64_t bytes, void **at_out)
{
    struct os_memory memory;
    err_t err = os_memory_create(bytes, 0, &memory);
    if (err != E_OK)
        return err;
    *at_out = memory.at;
    return os_handle_close(memory.handle); /* the mapping keeps it alive */
}
