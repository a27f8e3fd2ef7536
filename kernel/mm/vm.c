/* Regions of an address space: which addresses show which part of which Memory. Pages appear at the first touch. */
#include <kernel/debug.h>
#include <kernel/memory.h>
#include <kernel/mm.h>
#include <kernel/process.h>
#include <kernel/sched.h>

#define MAP_FIRST   0x0000100000000000ull /* where the kernel places what has no address of its own */
#define MAP_END     0x0000700000000000ull
#define PIECE_BYTES (512 * PAGE_BYTES) /* unmapped in one hold of the lock */
#define VM_ACCESS   (VM_READ | VM_WRITE | VM_EXEC)

static struct region *region_of(struct list *node)
{
    return container_of(node, struct region, node);
}

/* The first region that ends above `address`; NULL: none. */
static struct region *region_above(struct process *p, uint64_t address)
{
    struct region *r = p->region_hint;
    struct list *node = r && r->start <= address ? &r->node : p->regions.next;
    for (; node != &p->regions; node = node->next)
        if (region_of(node)->end > address)
            return p->region_hint = region_of(node);
    return NULL;
}

static bool range_free(struct process *p, uint64_t start, uint64_t end)
{
    struct region *r = region_above(p, start);
    return !r || r->start >= end;
}

/* Room for `bytes` and an unmapped page after it, in [from, MAP_END); 0: none. */
static uint64_t room_from(struct process *p, uint64_t from, uint64_t bytes)
{
    uint64_t at = from;
    for (struct region *r = region_above(p, at); r && r->start < at + bytes + PAGE_BYTES;) {
        at = r->end + PAGE_BYTES;
        r = r->node.next == &p->regions ? NULL : region_of(r->node.next);
    }
    return at + bytes + PAGE_BYTES <= MAP_END ? at : 0;
}

static uint64_t choose_address(struct process *p, uint64_t bytes)
{
    uint64_t at = room_from(p, p->map_hint, bytes);
    if (!at)
        at = room_from(p, MAP_FIRST, bytes);
    if (at)
        p->map_hint = at + bytes + PAGE_BYTES;
    return at;
}

static void link_region(struct process *p, struct region *r)
{
    struct region *after = region_above(p, r->start);
    list_insert_before(after ? &after->node : &p->regions, &r->node);
    list_append(&r->memory->regions, &r->memory_node);
    if (r->flags & VM_WRITE)
        r->memory->writable_regions++;
}

static err_t region_new(struct process *p, struct region **out)
{
    err_t err = object_charge(&p->object, sizeof(struct region));
    if (err != E_OK)
        return err;
    *out = kalloc(sizeof(struct region));
    if (*out)
        return E_OK;
    object_uncharge(&p->object, sizeof(struct region));
    return E_NO_MEMORY;
}

static bool range_ok(uint64_t address, uint64_t bytes)
{
    return address % PAGE_BYTES == 0 && bytes % PAGE_BYTES == 0 && bytes != 0 && bytes <= USER_END &&
           address >= PAGE_BYTES && address <= USER_END - bytes;
}

static bool overlaps(const struct region *r, uint64_t end)
{
    return r && r->start < end;
}

/* ---- mapping ---- */

static err_t map_decode(struct process *p, struct memory *m, uint64_t offset, uint64_t bytes, uint64_t address,
                        uint32_t flags)
{
    if ((flags & ~(uint32_t)(VM_ACCESS | VM_FIXED)) || !(flags & VM_ACCESS))
        return E_INVALID;
    if ((flags & VM_WRITE) && (flags & VM_EXEC))
        return E_INVALID;
    if (bytes == 0 || bytes % PAGE_BYTES || offset % PAGE_BYTES || address % PAGE_BYTES)
        return E_INVALID;
    uint64_t size = m->pages * PAGE_BYTES;
    if (offset >= size || bytes > size - offset)
        return E_RANGE;
    if ((address != 0 || (flags & VM_FIXED)) && !range_ok(address, bytes))
        return E_BAD_POINTER;
    if ((flags & VM_WRITE) && m->sealed)
        return E_NO_RIGHT;
    if (p->ending || m->object.dead)
        return E_GONE;
    return E_OK;
}

static err_t map_place(struct process *p, uint64_t *address, uint64_t bytes, uint32_t flags)
{
    if (*address && range_free(p, *address, *address + bytes))
        return E_OK;
    if (flags & VM_FIXED)
        return E_EXISTS;
    *address = choose_address(p, bytes);
    return *address ? E_OK : E_FULL;
}

err_t vm_map(struct process *p, struct memory *m, uint64_t offset, uint64_t bytes, uint64_t address, uint32_t flags,
             uint64_t *address_out)
{
    err_t err = map_decode(p, m, offset, bytes, address, flags);
    if (err == E_OK)
        err = map_place(p, &address, bytes, flags);
    struct region *r;
    if (err == E_OK)
        err = region_new(p, &r);
    if (err != E_OK)
        return err;
    *r = (struct region){.process = p,
                         .memory = m,
                         .start = address,
                         .end = address + bytes,
                         .offset = offset,
                         .flags = flags & VM_ACCESS};
    object_get(&m->object);
    link_region(p, r);
    *address_out = address;
    return E_OK;
}

err_t vm_map_pinned(struct process *p, struct memory *m, uint64_t address, uint64_t *address_out)
{
    uint32_t flags = VM_READ | VM_WRITE | (address ? VM_FIXED : 0);
    err_t err = vm_map(p, m, 0, m->pages * PAGE_BYTES, address, flags, address_out);
    if (err == E_OK)
        region_above(p, *address_out)->pinned = true;
    return err;
}

/* ---- unmapping ---- */

static void hide(struct region *r)
{
    arch_aspace_unmap(&r->process->aspace, r->start, r->end - r->start);
    arch_aspace_flush(&r->process->aspace, r->start, r->end - r->start);
}

void region_drop(struct region *r)
{
    struct process *p = r->process;
    struct memory *m = r->memory;
    hide(r);
    if (r->flags & VM_WRITE)
        m->writable_regions--;
    if (p->region_hint == r)
        p->region_hint = NULL;
    list_remove(&r->node);
    list_remove(&r->memory_node);
    kfree(r, sizeof(*r));
    object_uncharge(&p->object, sizeof(*r));
    object_put(&m->object);
}

/* Makes `at` a boundary if it lies inside the region. */
static err_t split(struct process *p, uint64_t at)
{
    struct region *r = region_above(p, at);
    if (!r || r->start >= at)
        return E_OK;
    struct region *upper;
    err_t err = region_new(p, &upper);
    if (err != E_OK)
        return err;
    *upper = *r;
    upper->start = at;
    upper->offset = r->offset + (at - r->start);
    r->end = at;
    object_get(&r->memory->object);
    link_region(p, upper);
    return E_OK;
}

static err_t check_not_pinned(struct process *p, uint64_t start, uint64_t end)
{
    struct region *r = region_above(p, start);
    while (overlaps(r, end)) {
        if (r->pinned)
            return E_BUSY;
        r = r->node.next == &p->regions ? NULL : region_of(r->node.next);
    }
    return E_OK;
}

static err_t split_both(struct process *p, uint64_t start, uint64_t end)
{
    err_t err = check_not_pinned(p, start, end);
    if (err == E_OK)
        err = split(p, start);
    if (err == E_OK)
        err = split(p, end);
    return err;
}

static err_t unmap_piece(struct process *p, uint64_t start, uint64_t end)
{
    err_t err = split_both(p, start, end);
    if (err != E_OK)
        return err;
    struct region *r;
    while (overlaps(r = region_above(p, start), end))
        region_drop(r);
    return E_OK;
}

err_t vm_unmap(struct process *p, uint64_t address, uint64_t bytes)
{
    if (!range_ok(address, bytes))
        return E_INVALID;
    uint64_t end = address + bytes;
    struct region *r = region_above(p, address);
    if (!overlaps(r, end))
        return E_NOT_FOUND;
    err_t err = check_not_pinned(p, address, end);
    while (err == E_OK && overlaps(r, end)) {
        uint64_t start = r->start > address ? r->start : address;
        uint64_t piece_end = end - start > PIECE_BYTES ? start + PIECE_BYTES : end;
        err = unmap_piece(p, start, piece_end);
        if (piece_end == end || err != E_OK)
            break;
        sched_breathe();
        if (p->ending)
            return E_GONE;
        address = piece_end;
        r = region_above(p, address);
    }
    return err;
}

void vm_unmap_pinned(struct process *p, uint64_t address)
{
    struct region *r = address ? region_above(p, address) : NULL;
    if (r && r->start == address && r->pinned)
        region_drop(r);
}

bool vm_drain(struct process *p, uint32_t limit)
{
    while (limit-- > 0 && !list_empty(&p->regions))
        region_drop(region_of(p->regions.next));
    return !list_empty(&p->regions);
}

/* ---- permissions ---- */

static err_t protect_decode(struct process *p, uint64_t address, uint64_t end, uint32_t flags)
{
    struct region *r = region_above(p, address);
    if (!overlaps(r, end))
        return E_NOT_FOUND;
    while (overlaps(r, end)) {
        if (flags & ~r->flags)
            return E_NO_RIGHT;
        r = r->node.next == &p->regions ? NULL : region_of(r->node.next);
    }
    return E_OK;
}

static uint32_t page_flags(const struct region *r)
{
    uint32_t flags = PAGE_READ | r->memory->page_flags;
    if (r->flags & VM_WRITE)
        flags |= PAGE_WRITE;
    if (r->flags & VM_EXEC)
        flags |= PAGE_EXEC;
    return flags;
}

static void protect_region(struct region *r, uint32_t flags)
{
    if ((r->flags & VM_WRITE) && !(flags & VM_WRITE))
        r->memory->writable_regions--;
    r->flags = flags;
    if (flags == 0) {
        hide(r);
        return;
    }
    arch_aspace_protect(&r->process->aspace, r->start, r->end - r->start, page_flags(r));
    arch_aspace_flush(&r->process->aspace, r->start, r->end - r->start);
}

err_t vm_protect(struct process *p, uint64_t address, uint64_t bytes, uint32_t flags)
{
    if (!range_ok(address, bytes) || (flags & ~(uint32_t)VM_ACCESS))
        return E_INVALID;
    uint64_t end = address + bytes;
    err_t err = protect_decode(p, address, end, flags);
    if (err == E_OK)
        err = split_both(p, address, end);
    if (err != E_OK)
        return err;
    struct region *r = region_above(p, address);
    while (overlaps(r, end)) {
        protect_region(r, flags);
        r = r->node.next == &p->regions ? NULL : region_of(r->node.next);
    }
    return E_OK;
}

/* ---- the first touch ---- */

static bool access_allowed(const struct region *r, bool write, bool exec)
{
    uint32_t needed = exec ? VM_EXEC : write ? VM_WRITE : VM_READ;
    return (r->flags & needed) != 0;
}

static bool map_page(struct process *p, struct region *r, uint64_t page, uint64_t phys)
{
    uint64_t tables = arch_aspace_tables_needed(&p->aspace, page) * PAGE_BYTES;
    if (object_charge(&p->object, tables) != E_OK)
        return false;
    if (arch_aspace_map(&p->aspace, page, phys, page_flags(r)) != E_OK) {
        object_uncharge(&p->object, tables);
        return false;
    }
    p->table_bytes += tables;
    return true;
}

bool vm_fault(uint64_t address, bool write, bool exec, bool *memory_out)
{
    struct process *p = thread_current() ? thread_current()->process : NULL;
    *memory_out = false;
    if (!p || address >= USER_END)
        return false;
    struct region *r = region_above(p, address);
    if (!r || r->start > address || !access_allowed(r, write, exec))
        return false;
    uint64_t page = address & ~(PAGE_BYTES - 1);
    uint64_t index = (r->offset + (page - r->start)) / PAGE_BYTES;
    if (index - r->memory->hole_first < r->memory->hole_pages)
        return false;
    uint64_t phys;
    if (memory_frame(r->memory, index, &phys) == E_OK && map_page(p, r, page, phys))
        return true;
    *memory_out = true;
    return false;
}

uint64_t vm_resident_bytes(const struct process *p)
{
    uint64_t bytes = p->has_aspace ? p->table_bytes + PAGE_BYTES : 0;
    list_for_each(node, &p->regions)
    {
        const struct region *r = region_of(node);
        uint64_t mapped = r->end - r->start, resident = r->memory->resident * PAGE_BYTES;
        bytes += resident < mapped ? resident : mapped;
    }
    return bytes;
}
