/* The first process: the program named by `init` in the configuration, with everything that there is to hold. */
#include <abi/ids.h>
#include <abi/startup.h>
#include <base/elf.h>
#include <kernel/boot.h>
#include <kernel/bundle.h>
#include <kernel/debug.h>
#include <kernel/init.h>
#include <kernel/memory.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/system.h>

#define STACK_BYTES 262144ull
#define STACK_HIGH  (STARTUP_VA - PAGE_BYTES)

static void must(err_t err, const char *what)
{
    if (err != E_OK)
        panic("first process: %s: error %u", what, err);
}

static struct memory *memory_must(uint64_t bytes)
{
    struct memory *m;
    must(memory_create(&root_budget, bytes, 0, &m), "memory");
    return m;
}

static void map_must(struct process *p, struct memory *m, uint64_t address, uint32_t flags)
{
    uint64_t at;
    must(vm_map(p, m, 0, m->pages * PAGE_BYTES, address, flags | VM_FIXED, &at), "mapping");
    object_put(&m->object);
}

static void load_segment(struct process *p, const uint8_t *image, const struct elf_segment *s)
{
    struct memory *m = memory_must(s->bytes);
    must(memory_write(m, 0, image + s->file_offset, s->file_bytes), "loading");
    map_must(p, m, s->address, s->vm_flags);
}

static uint64_t load_program(struct process *p, const char *name)
{
    const void *image;
    const struct bundle_part *part = bundle_find(name, &image);
    if (!part)
        boot_stop("the first program is not in the bundle", name);
    struct elf_plan plan;
    const char *why;
    if (elf_plan(image, part->bytes, &plan, &why) != E_OK)
        boot_stop("the first program is not a program for Shoal", why);
    for (uint32_t i = 0; i < plan.count; i++)
        load_segment(p, image, &plan.segments[i]);
    return plan.entry;
}

static handle_t give(struct process *p, struct object *o)
{
    handle_t h;
    struct handle_ref r = handle_ref_make(o, NULL, object_rights((enum object_type)o->type));
    must(handle_insert(p, &r, &h), "handles");
    return h;
}

static void give_handles(struct process *p, struct thread *t, struct startup *s)
{
    uint64_t bundle_bytes;
    uint64_t bundle = bundle_phys(&bundle_bytes);
    struct memory *m;
    must(memory_borrow(&root_budget, bundle, bundle_bytes, 0, &m), "bundle");
    m->sealed = true;
    s->handles[STARTUP_PROCESS] = give(p, &p->object);
    s->handles[STARTUP_THREAD] = give(p, &t->object);
    s->handles[STARTUP_BUDGET] = give(p, &root_budget.object);
    s->handles[STARTUP_SYSTEM] = give(p, &system_object);
    s->handles[STARTUP_BUNDLE] = give(p, &m->object);
    object_put(&m->object);
}

/* ---- the startup block ---- */

struct block {
    struct memory *memory;
    uint64_t bytes;
};

static void block_add(struct block *b, const char *text, size_t length)
{
    if (b->bytes + length > STARTUP_BYTES_MAX)
        boot_stop("the configuration is too long", "shorten shoal.conf");
    must(memory_write(b->memory, b->bytes, text, length), "startup block");
    b->bytes += length;
}

static void block_add_configuration(struct block *b, struct startup *s)
{
    const char *key, *value;
    s->envv_offset = (uint32_t)b->bytes;
    for (uint32_t i = 0; config_next(i, &key, &value); i++) {
        block_add(b, key, __builtin_strlen(key));
        block_add(b, "=", 1);
        block_add(b, value, __builtin_strlen(value) + 1);
        s->envc++;
    }
}

static void make_startup(struct process *p, struct thread *t, const char *name)
{
    struct block b = {.memory = memory_must(STARTUP_BYTES_MAX), .bytes = sizeof(struct startup)};
    struct startup s = {
        .magic = STARTUP_MAGIC,
        .ipc_buffer = t->ipc_address,
        .stack_low = STACK_HIGH - STACK_BYTES,
        .stack_high = STACK_HIGH,
        .argc = 1,
        .argv_offset = (uint32_t)b.bytes,
        .process_id = PROCESS_ID(0, p->object.serial),
    };
    give_handles(p, t, &s);
    block_add(&b, name, __builtin_strlen(name) + 1);
    s.cwd_offset = (uint32_t)b.bytes;
    block_add(&b, "/", 2);
    block_add_configuration(&b, &s);
    s.bytes = b.bytes;
    must(memory_write(b.memory, 0, &s, sizeof(s)), "startup block");
    map_must(p, b.memory, STARTUP_VA, VM_READ | VM_WRITE);
}

static void first_process_start(void)
{
    const char *name = config_get("init");
    struct process *p;
    struct thread *t;
    if (!name)
        name = "bin/supervisor";
    must(process_create(&root_budget, name, PRIORITY_MAX, &p), "process");
    p->vital = true;
    uint64_t entry = load_program(p, name);
    map_must(p, memory_must(STACK_BYTES), STACK_HIGH - STACK_BYTES, VM_READ | VM_WRITE);
    must(thread_create(&root_budget, p, 0, PRIORITY_NORMAL, &t), "thread");
    make_startup(p, t, name);
    system_booted();
    must(thread_start(t, entry, STACK_HIGH - 8, STARTUP_VA), "start");
    object_put(&t->object);
    object_put(&p->object);
}
INIT_HOOK(INIT_USER, first_process_start);
