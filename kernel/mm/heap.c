/* Kernel heap. Small objects share pages of one size class; a page that holds none goes back. Large ones are runs of
 * pages. The caller says the size when it frees, so objects carry no headers. */
#include <base/mem.h>
#include <kernel/arch.h>
#include <kernel/debug.h>
#include <kernel/mm.h>

#define HEAP_BYTES_MAX 65536u
#define SMALL_MAX      2016u

struct slab {
    struct slab *next, **previous; /* in its class's list of pages with room; previous NULL: not in it */
    void *free;
    uint32_t used, reserved;
};
_Static_assert(sizeof(struct slab) == 32, "objects start 16-byte aligned");

static const uint16_t class_bytes[] = {16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 672, 1008, 1344, SMALL_MAX};
#define CLASSES (sizeof class_bytes / sizeof class_bytes[0])
static struct slab *with_room[CLASSES];

/* By bytes / 16, rounded up. */
static const uint8_t class_by_units[SMALL_MAX / 16 + 1] = {
    [0 ... 1] = 0,    [2] = 1,          [3] = 2,          [4] = 3,          [5 ... 6] = 4,
    [7 ... 8] = 5,    [9 ... 12] = 6,   [13 ... 16] = 7,  [17 ... 24] = 8,  [25 ... 32] = 9,
    [33 ... 42] = 10, [43 ... 63] = 11, [64 ... 84] = 12, [85 ... 126] = 13};

static uint32_t class_of(size_t bytes)
{
    uint32_t c = class_by_units[(bytes + 15) / 16];
    assert(class_bytes[c] >= bytes && (c == 0 || class_bytes[c - 1] < bytes));
    return c;
}

static void list_add(struct slab *s, uint32_t c)
{
    s->next = with_room[c];
    s->previous = &with_room[c];
    if (s->next)
        s->next->previous = &s->next;
    with_room[c] = s;
}

static void list_remove(struct slab *s)
{
    *s->previous = s->next;
    if (s->next)
        s->next->previous = s->previous;
    s->previous = NULL;
}

static struct slab *slab_new(uint32_t c)
{
    uint64_t phys = page_alloc_dirty(); /* small_alloc() clears what it gives */
    if (phys == PAGE_NONE)
        return NULL;
    struct slab *s = phys_to_virt(phys);
    *s = (struct slab){0};
    uint32_t bytes = class_bytes[c], count = (uint32_t)(PAGE_BYTES - sizeof *s) / bytes;
    for (uint32_t i = count; i > 0; i--) {
        void **object = (void **)((char *)(s + 1) + (i - 1) * bytes);
        *object = s->free;
        s->free = object;
    }
    list_add(s, c);
    return s;
}

static void *small_alloc(uint32_t c)
{
    struct slab *s = with_room[c] ? with_room[c] : slab_new(c);
    if (!s)
        return NULL;
    void **object = s->free;
    s->free = *object;
    s->used++;
    if (!s->free)
        list_remove(s);
    memset(object, 0, class_bytes[c]);
    return object;
}

static uint64_t virt_to_phys(const void *object)
{
    return (uint64_t)object - PHYSMAP_BASE;
}

/* The last page of a class with room stays, also when it is empty: who makes and ends one object after the other would
 * otherwise have a page cleared and cut up each time. */
static bool is_only_one(const struct slab *s, uint32_t c)
{
    return with_room[c] == s && !s->next;
}

static void small_free(void *object, uint32_t c)
{
    struct slab *s = (struct slab *)((uint64_t)object & ~(PAGE_BYTES - 1));
    assert(s->used > 0 && ((uint64_t)object - (uint64_t)(s + 1)) % class_bytes[c] == 0);
    if (!s->free)
        list_add(s, c);
    *(void **)object = s->free;
    s->free = object;
    if (--s->used > 0 || is_only_one(s, c))
        return;
    list_remove(s);
    page_free(virt_to_phys(s));
}

void *kalloc(size_t bytes)
{
    assert(bytes > 0 && bytes <= HEAP_BYTES_MAX);
    if (bytes <= SMALL_MAX)
        return small_alloc(class_of(bytes));
    uint64_t phys = page_alloc_contiguous((bytes + PAGE_BYTES - 1) / PAGE_BYTES, 0);
    return phys == PAGE_NONE ? NULL : phys_to_virt(phys);
}

void kfree(void *object, size_t bytes)
{
    if (!object)
        return;
    if (bytes <= SMALL_MAX)
        small_free(object, class_of(bytes));
    else
        page_free_contiguous(virt_to_phys(object), (bytes + PAGE_BYTES - 1) / PAGE_BYTES);
}
