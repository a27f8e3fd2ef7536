/* Process loading. A new process's addresses: program (below 2 GiB) ... first stack, guard, startup block, IPC buffer.
 */
#include <base/elf.h>
#include <os/load.h>
#include <os/memory.h>
#include <os/startup.h>
#include <os/syscall.h>

#define STACK_HIGH (STARTUP_VA - 16 * PAGE_BYTES)
#define IPC_VA     (STARTUP_VA + STARTUP_BYTES_MAX + 16 * PAGE_BYTES)

static uint64_t pages_up(uint64_t bytes)
{
    return (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

static uint64_t stack_bytes(const struct load *load)
{
    return load->stack_bytes ? pages_up(load->stack_bytes) : LOAD_STACK_BYTES;
}

/* Fresh Memory on the process's Budget, filled from `from`, mapped into it. Only the mapping holds it afterwards. */
static err_t map_copy(const struct load *load, handle_t process, uint64_t address, uint64_t bytes, const void *from,
                      uint64_t from_bytes, uint32_t vm_flags)
{
    handle_t memory;
    uint64_t done = 0, at;
    err_t err = os_create(load->budget, OBJECT_MEMORY, bytes, 0, 0, &memory);
    if (err != E_OK)
        return err;
    if (from_bytes)
        err = os_memory_rw(memory, 0, (void *)from, from_bytes, IPC_LEND_OUT, &done);
    if (err == E_OK && done != from_bytes)
        err = E_NO_MEMORY;
    if (err == E_OK)
        err = os_vm_map(process, memory, 0, bytes, address, vm_flags | VM_FIXED, &at);
    os_handle_close(memory);
    return err;
}

static err_t map_segment(const struct load *load, handle_t process, const struct elf_segment *s)
{
    uint64_t shared = pages_up(s->file_bytes), at;
    err_t err = E_OK;
    if (s->vm_flags & VM_WRITE)
        return map_copy(load, process, s->address, s->bytes, (const uint8_t *)load->image + s->file_offset,
                        s->file_bytes, s->vm_flags);
    if (shared)
        err = os_vm_map(process, load->memory, load->memory_offset + s->file_offset, shared, s->address,
                        s->vm_flags | VM_FIXED, &at);
    if (err == E_OK && s->bytes > shared)
        err = map_copy(load, process, s->address + shared, s->bytes - shared, NULL, 0, s->vm_flags);
    return err;
}

static err_t map_program(const struct load *load, handle_t process, const struct elf_plan *plan)
{
    err_t err = E_OK;
    for (uint32_t i = 0; err == E_OK && i < plan->count; i++)
        err = map_segment(load, process, &plan->segments[i]);
    if (err == E_OK)
        err = map_copy(load, process, STACK_HIGH - stack_bytes(load), stack_bytes(load), NULL, 0, VM_READ | VM_WRITE);
    return err;
}

static err_t grant(handle_t process, handle_t handle, handle_t *there_out)
{
    struct sys_result r = {E_OK, HANDLE_NONE};
    if (handle)
        r = os_control(process, OP_PROCESS_GRANT, handle, RIGHTS_ALL, 0, 0);
    *there_out = (handle_t)r.value;
    return r.err;
}

static err_t grant_all(const struct load *load, const struct loaded *loaded, struct startup *startup)
{
    err_t err = grant(loaded->process, loaded->process, &startup->handles[STARTUP_PROCESS]);
    if (err == E_OK)
        err = grant(loaded->process, loaded->thread, &startup->handles[STARTUP_THREAD]);
    if (err == E_OK)
        err = grant(loaded->process, load->budget, &startup->handles[STARTUP_BUDGET]);
    for (uint32_t i = STARTUP_BUDGET + 1; err == E_OK && i < STARTUP_HANDLES; i++)
        err = grant(loaded->process, load->handles[i], &startup->handles[i]);
    return err;
}

/* Appends to the block; its room was counted before. */
static uint32_t append(uint8_t *block, uint64_t *bytes, const char *text, uint32_t length)
{
    uint32_t at = (uint32_t)*bytes;
    if (length)
        __builtin_memcpy(block + at, text, length);
    *bytes += length;
    return at;
}

static uint32_t text_bytes(const char *text)
{
    return (uint32_t)__builtin_strlen(text) + 1;
}

static void fill_startup(const struct load *load, uint8_t *block)
{
    struct startup *startup = (struct startup *)block;
    const char *directory = load->directory ? load->directory : "/";
    uint64_t bytes = sizeof *startup;
    startup->magic = STARTUP_MAGIC;
    startup->ipc_buffer = IPC_VA;
    startup->stack_low = STACK_HIGH - stack_bytes(load);
    startup->stack_high = STACK_HIGH;
    startup->argc = load->argc;
    startup->envc = load->envc;
    startup->argv_offset = append(block, &bytes, load->arguments, load->arguments_bytes);
    startup->envv_offset = append(block, &bytes, load->environment, load->environment_bytes);
    startup->cwd_offset = append(block, &bytes, directory, text_bytes(directory));
    startup->bytes = bytes;
    startup->fd_mask = load->fd_mask;
    startup->process_id = load->process_id;
    startup->tty_flags = load->tty_flags;
    startup->level = load->level;
}

static err_t give_startup(const struct load *load, const struct loaded *loaded)
{
    uint64_t bytes = sizeof(struct startup) + load->arguments_bytes + load->environment_bytes +
                     (load->directory ? text_bytes(load->directory) : 2);
    void *block;
    if (bytes > STARTUP_BYTES_MAX)
        return E_TOO_LONG;
    err_t err = os_pages(pages_up(bytes), &block);
    if (err != E_OK)
        return err;
    fill_startup(load, block);
    err = grant_all(load, loaded, block);
    if (err == E_OK)
        err = map_copy(load, loaded->process, STARTUP_VA, pages_up(bytes), block, bytes, VM_READ | VM_WRITE);
    os_vm_unmap(os_process(), (uint64_t)block, pages_up(bytes));
    return err;
}

static err_t load_into(const struct load *load, const struct elf_plan *plan, struct loaded *loaded)
{
    err_t err = map_program(load, loaded->process, plan);
    if (err == E_OK)
        err = os_create(load->budget, OBJECT_THREAD, loaded->process, IPC_VA, load->priority, &loaded->thread);
    if (err != E_OK)
        return err;
    err = give_startup(load, loaded);
    if (err != E_OK)
        os_handle_close(loaded->thread);
    return err;
}

err_t os_load(const struct load *load, struct loaded *loaded_out, const char **why_out)
{
    struct elf_plan plan;
    struct loaded loaded = {0};
    uint32_t name_length = text_bytes(load->name) - 1;
    err_t err = elf_plan(load->image, load->image_bytes, &plan, why_out);
    if (err != E_OK)
        return err;
    err = os_create(load->budget, OBJECT_PROCESS, (uint64_t)load->name, name_length < 31 ? name_length : 31,
                    load->priority, &loaded.process);
    if (err != E_OK)
        return err;
    loaded.entry = plan.entry;
    loaded.stack_high = STACK_HIGH;
    err = load_into(load, &plan, &loaded);
    if (err != E_OK) {
        os_control(loaded.process, OP_PROCESS_KILL, EXIT_KILLED, 9, 0, 0);
        os_handle_close(loaded.process);
        return err;
    }
    *loaded_out = loaded;
    return E_OK;
}

err_t os_load_run(const struct loaded *loaded)
{
    return os_control(loaded->thread, OP_THREAD_START, loaded->entry, loaded->stack_high, STARTUP_VA, 0).err;
}
