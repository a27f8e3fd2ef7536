/* Memory for the last panic's text: the door's choice, else the same place each time, so that the next boot finds it.
 */
#include <kernel/boot.h>

#define KEEP_BASE  0x100000ull
#define KEEP_BYTES 0x10000ull

void boot_panic_memory(struct boot_info *info)
{
    if (info->panic_base)
        return;
    for (uint32_t i = 0; i < info->memory_count; i++) {
        const struct boot_memory *m = &info->memory[i];
        if (m->kind != BOOT_MEMORY_USABLE || m->base > KEEP_BASE || m->base + m->bytes < KEEP_BASE + KEEP_BYTES)
            continue;
        info->panic_base = KEEP_BASE;
        info->panic_bytes = KEEP_BYTES;
    }
}
