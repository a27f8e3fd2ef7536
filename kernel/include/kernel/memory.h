/* Memory objects and the regions of address spaces that show them. Kernel lock held. */
#pragma once

#include <kernel/arch.h>
#include <kernel/object.h>

struct process;
struct device;

/* Frames of up to 512 pages lie in one array; larger Memory has an array of such arrays. */
#define MEMORY_LEAF_PAGES 512u
#define MEMORY_PAGES_MAX  (MEMORY_LEAF_PAGES * 8192ull) /* 16 GiB */

struct memory {
    struct object object;
    uint64_t pages;
    uint64_t resident; /* frames that exist */
    uint32_t flags;    /* enum memory_flags */
    bool sealed;
    bool borrowed;                   /* frames belong to someone else (bundle, device): [base, base + pages) */
    uint8_t page_flags;              /* PAGE_DEVICE or PAGE_COMBINE for device memory */
    uint64_t base;                   /* borrowed or contiguous: first physical address */
    uint64_t hole_first, hole_pages; /* pages of it that nobody may see (MSI-X tables) */
    uint64_t **leaves;               /* frame + 1 per page; 0: not there yet */
    struct list regions;             /* struct region.memory_node */
    uint32_t writable_regions;
    struct device *dma_device; /* was told a bus address of it */
    uint32_t dma_epoch;
    struct list free_node;
    uint64_t free_next; /* next leaf to free */
};

struct region {
    struct list node; /* process.regions */
    struct list memory_node;
    struct process *process;
    struct memory *memory;
    uint64_t start, end; /* addresses */
    uint64_t offset;     /* of `start` in the Memory */
    uint32_t flags;      /* VM_READ | VM_WRITE | VM_EXEC */
    bool pinned;         /* an IPC buffer: stays as long as its thread */
};

err_t memory_create(struct budget *b, uint64_t bytes, uint32_t flags, struct memory **out);
/* A view of physical memory that is not ours to free. Device memory (page_flags != 0) is not readable with memory_rw.
 */
err_t memory_borrow(struct budget *b, uint64_t base, uint64_t bytes, uint32_t page_flags, struct memory **out);
/* Physical address of page `index`, brought in if need be. E_NO_MEMORY when the machine is out of pages. */
err_t memory_frame(struct memory *m, uint64_t index, uint64_t *phys_out);
/* Copies to or from kernel memory. The range must lie inside. */
err_t memory_read(struct memory *m, uint64_t offset, void *to, uint64_t bytes);
err_t memory_write(struct memory *m, uint64_t offset, const void *from, uint64_t bytes);
/* Same for user memory of the current process; lets others have the lock now and then. */
err_t memory_copy_user(struct memory *m, uint64_t offset, uint64_t user, uint64_t bytes, bool to_user,
                       uint64_t *done_out);
err_t memory_seal(struct memory *m);
/* Kernel address of all of a contiguous or one-page piece; for rings shared with the kernel (the frames stay put). */
void *memory_page_address(struct memory *m, uint64_t index); /* NULL when out of pages */
/* Bounded pieces of freeing large Memory; called on the way out of system calls. */
extern struct list memory_deferred;
void memory_deferred_work(void);
static inline void memory_deferred_free(void)
{
    if (__builtin_expect(!list_empty(&memory_deferred), 0))
        memory_deferred_work();
}

/* ---- address spaces ---- */
err_t vm_map(struct process *p, struct memory *m, uint64_t offset, uint64_t bytes, uint64_t address, uint32_t flags,
             uint64_t *address_out);
err_t vm_map_pinned(struct process *p, struct memory *m, uint64_t address, uint64_t *address_out);
err_t vm_unmap(struct process *p, uint64_t address, uint64_t bytes);
err_t vm_protect(struct process *p, uint64_t address, uint64_t bytes, uint32_t flags);
void region_drop(struct region *r);
uint64_t vm_resident_bytes(const struct process *p); /* resident pages it maps, and its page tables */
void vm_unmap_pinned(struct process *p, uint64_t address);
/* Unmaps up to `limit` regions of a process that has ended; false when none is left. */
bool vm_drain(struct process *p, uint32_t limit);
