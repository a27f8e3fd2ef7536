/* Memory: paid in full when it is made, taken from the machine page by page as it is touched. */
#include <kernel/debug.h>
#include <kernel/device.h>
#include <kernel/init.h>
#include <kernel/memory.h>
#include <kernel/mm.h>
#include <kernel/sched.h>

struct list memory_deferred = LIST_INIT(memory_deferred); /* large Memory that is being freed */

static uint64_t leaf_count(const struct memory *m)
{
    return (m->pages + MEMORY_LEAF_PAGES - 1) / MEMORY_LEAF_PAGES;
}

static size_t leaf_bytes(const struct memory *m, uint64_t leaf)
{
    uint64_t rest = m->pages - leaf * MEMORY_LEAF_PAGES;
    return (rest < MEMORY_LEAF_PAGES ? rest : MEMORY_LEAF_PAGES) * sizeof(uint64_t);
}

/* What a Memory of so many pages costs beside its shell. */
static uint64_t memory_cost(const struct memory *m)
{
    if (m->borrowed)
        return 0;
    return m->pages * PAGE_BYTES + m->pages * sizeof(uint64_t) + leaf_count(m) * sizeof(uint64_t *);
}

static uint64_t *frame_slot(struct memory *m, uint64_t index)
{
    uint64_t **leaf = &m->leaves[index / MEMORY_LEAF_PAGES];
    if (!*leaf)
        *leaf = kalloc(leaf_bytes(m, index / MEMORY_LEAF_PAGES));
    return *leaf ? &(*leaf)[index % MEMORY_LEAF_PAGES] : NULL;
}

err_t memory_frame(struct memory *m, uint64_t index, uint64_t *phys_out)
{
    assert(index < m->pages);
    if (m->object.dead)
        return E_GONE;
    if (m->borrowed || (m->flags & MEMORY_DMA)) {
        *phys_out = m->base + index * PAGE_BYTES;
        return E_OK;
    }
    uint64_t *slot = frame_slot(m, index);
    if (!slot)
        return E_NO_MEMORY;
    if (!*slot) {
        uint64_t phys = page_alloc();
        if (phys == PAGE_NONE)
            return E_NO_MEMORY;
        *slot = phys + 1;
        m->resident++;
    }
    *phys_out = *slot - 1;
    return E_OK;
}

void *memory_page_address(struct memory *m, uint64_t index)
{
    uint64_t phys;
    return memory_frame(m, index, &phys) == E_OK ? phys_to_virt(phys) : NULL;
}

static err_t memory_furnish(struct memory *m)
{
    err_t err = object_charge(&m->object, memory_cost(m));
    if (err != E_OK)
        return err;
    if (m->flags & MEMORY_DMA) {
        m->base = page_alloc_contiguous(m->pages, 0);
        m->resident = m->pages;
        if (m->base != PAGE_NONE)
            return E_OK;
    } else {
        m->leaves = kalloc(leaf_count(m) * sizeof(uint64_t *));
        if (m->leaves)
            return E_OK;
    }
    object_uncharge(&m->object, memory_cost(m));
    return E_NO_MEMORY;
}

static err_t memory_shell(struct budget *b, uint64_t bytes, struct memory **out)
{
    if (bytes == 0 || bytes > MEMORY_PAGES_MAX * PAGE_BYTES)
        return E_RANGE;
    err_t err = object_create(b, OBJECT_MEMORY, sizeof(**out), out);
    if (err != E_OK)
        return err;
    struct memory *m = *out;
    list_init(&m->regions);
    list_init(&m->free_node);
    m->pages = (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    return E_OK;
}

err_t memory_create(struct budget *b, uint64_t bytes, uint32_t flags, struct memory **out)
{
    if (flags & ~(uint32_t)MEMORY_DMA)
        return E_INVALID;
    struct memory *m;
    err_t err = memory_shell(b, bytes, &m);
    if (err != E_OK)
        return err;
    m->flags = flags;
    err = memory_furnish(m);
    if (err != E_OK) {
        m->borrowed = true; /* owns nothing */
        object_put(&m->object);
        return err;
    }
    *out = m;
    return E_OK;
}

err_t memory_borrow(struct budget *b, uint64_t base, uint64_t bytes, uint32_t page_flags, struct memory **out)
{
    struct memory *m;
    err_t err = memory_shell(b, bytes, &m);
    if (err != E_OK)
        return err;
    m->borrowed = true;
    m->base = base;
    m->resident = m->pages;
    m->page_flags = (uint8_t)page_flags;
    *out = m;
    return E_OK;
}

err_t memory_seal(struct memory *m)
{
    if (m->writable_regions)
        return E_BUSY;
    m->sealed = true;
    return E_OK;
}

/* ---- copying ---- */

static err_t copy_kernel(struct memory *m, uint64_t offset, uint8_t *buffer, uint64_t bytes, bool write)
{
    if (m->page_flags)
        return E_NOT_SUPPORTED;
    while (bytes > 0) {
        uint64_t in_page = offset % PAGE_BYTES;
        uint64_t n = PAGE_BYTES - in_page < bytes ? PAGE_BYTES - in_page : bytes;
        uint8_t *page = memory_page_address(m, offset / PAGE_BYTES);
        if (!page)
            return E_NO_MEMORY;
        if (write)
            __builtin_memcpy(page + in_page, buffer, n);
        else
            __builtin_memcpy(buffer, page + in_page, n);
        offset += n, buffer += n, bytes -= n;
    }
    return E_OK;
}

err_t memory_read(struct memory *m, uint64_t offset, void *to, uint64_t bytes)
{
    return copy_kernel(m, offset, to, bytes, false);
}

err_t memory_write(struct memory *m, uint64_t offset, const void *from, uint64_t bytes)
{
    return copy_kernel(m, offset, (uint8_t *)from, bytes, true);
}

static err_t copy_user_piece(struct memory *m, uint64_t offset, uint64_t user, uint64_t n, bool to_user)
{
    uint8_t *page = memory_page_address(m, offset / PAGE_BYTES);
    if (!page)
        return m->object.dead ? E_GONE : E_NO_MEMORY;
    page += offset % PAGE_BYTES;
    return to_user ? copy_to_user(user, page, n) : copy_from_user(page, user, n);
}

err_t memory_copy_user(struct memory *m, uint64_t offset, uint64_t user, uint64_t bytes, bool to_user,
                       uint64_t *done_out)
{
    *done_out = 0;
    if (m->page_flags)
        return E_NOT_SUPPORTED;
    for (uint32_t pages = 0; *done_out < bytes; pages++) {
        uint64_t at = offset + *done_out, room = PAGE_BYTES - at % PAGE_BYTES;
        uint64_t n = bytes - *done_out < room ? bytes - *done_out : room;
        err_t err = copy_user_piece(m, at, user + *done_out, n, to_user);
        if (err != E_OK)
            return err;
        *done_out += n;
        if (pages % 64 == 63)
            sched_breathe();
        if (thread_current()->pending & THREAD_DYING)
            return E_INTERRUPTED;
        if (m->sealed && !to_user) /* since we began: its readers rely on what it holds now */
            return E_NO_RIGHT;
    }
    return E_OK;
}

/* ---- the end ---- */

static void free_leaf(struct memory *m, uint64_t leaf)
{
    uint64_t *slots = m->leaves[leaf];
    if (!slots)
        return;
    size_t bytes = leaf_bytes(m, leaf);
    for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
        if (slots[i])
            page_free(slots[i] - 1);
    kfree(slots, bytes);
    m->leaves[leaf] = NULL;
}

static void free_finish(struct memory *m)
{
    if (m->leaves)
        kfree(m->leaves, leaf_count(m) * sizeof(uint64_t *));
    m->leaves = NULL;
    m->resident = 0;
    object_uncharge(&m->object, memory_cost(m));
    m->borrowed = true;
}

/* A device that was told where these pages are must not write there any more. */
static void quiet_dma(struct memory *m)
{
    if (m->dma_device && m->dma_device->epoch == m->dma_epoch)
        device_object_quiet(m->dma_device);
    m->dma_device = NULL;
}

static void memory_object_kill(struct object *o)
{
    struct memory *m = container_of(o, struct memory, object);
    while (!list_empty(&m->regions))
        region_drop(container_of(m->regions.next, struct region, memory_node));
    if (m->borrowed)
        return;
    if (m->flags & MEMORY_DMA) {
        quiet_dma(m);
        page_free_contiguous(m->base, m->pages);
        free_finish(m);
    } else if (m->pages <= MEMORY_LEAF_PAGES) {
        free_leaf(m, 0);
        free_finish(m);
    } else {
        object_get(o);
        list_append(&memory_deferred, &m->free_node);
    }
}

void memory_deferred_work(void)
{
    while (!list_empty(&memory_deferred)) {
        struct memory *m = container_of(memory_deferred.next, struct memory, free_node);
        uint64_t leaf = m->free_next;
        if (leaf < leaf_count(m)) {
            m->free_next++;
            free_leaf(m, leaf);
        } else {
            list_remove(&m->free_node);
            free_finish(m);
            object_put(&m->object);
        }
        sched_breathe();
    }
}

static void memory_object_free(struct object *o)
{
    object_shell_free(o, sizeof(struct memory));
}

static const struct object_type_ops memory_ops = {.kill = memory_object_kill, .free = memory_object_free};

static void memory_init(void)
{
    object_type_register(OBJECT_MEMORY, &memory_ops);
}
INIT_HOOK(INIT_OBJECTS, memory_init);
