/* The last panic's text in memory that neither the firmware nor the loader clears. What is found there at boot may be
 * anything, so it counts only with magic, a sane length and the right checksum. */
#include <base/mem.h>
#include <kernel/arch.h>
#include <kernel/debug.h>
#include <kernel/panic.h>

#define KEEP_MAGIC 0x4b45455050414e43ull
#define TEXT_MAX   16384u

struct kept {
    uint64_t magic;
    uint64_t checksum; /* of length and text */
    uint64_t length;
    char text[TEXT_MAX];
};

static struct kept *kept;

/* FNV-1a: damage, not malice, is what it must notice. */
static uint64_t checksum(const struct kept *k)
{
    uint64_t h = 0xcbf29ce484222325ull ^ k->length;
    for (uint64_t i = 0; i < k->length; i++)
        h = (h ^ (uint8_t)k->text[i]) * 0x100000001b3ull;
    return h;
}

void panic_keep_begin(void)
{
    if (!kept)
        return;
    kept->magic = 0;
    kept->length = 0;
}

void panic_keep(const char *text, size_t length)
{
    if (!kept || kept->length + length > TEXT_MAX)
        return;
    memcpy(kept->text + kept->length, text, length);
    kept->length += length;
}

void panic_keep_end(void)
{
    if (!kept)
        return;
    kept->checksum = checksum(kept);
    kept->magic = KEEP_MAGIC;
    arch_cache_flush(kept, sizeof *kept);
}

static void print_kept(void)
{
    klog("the last run of this node ended in a panic:");
    for (uint64_t at = 0; at < kept->length;) {
        uint64_t end = at;
        while (end < kept->length && kept->text[end] != '\n')
            end++;
        if (end > at)
            klog("| %.*s", (int)(end - at), kept->text + at);
        at = end + 1;
    }
}

void panic_keep_init(uint64_t phys, uint64_t bytes)
{
    if (!phys || bytes < sizeof *kept)
        return;
    kept = phys_to_virt(phys);
    if (kept->magic == KEEP_MAGIC && kept->length <= TEXT_MAX && kept->checksum == checksum(kept))
        print_kept();
    kept->magic = 0;
    arch_cache_flush(kept, sizeof *kept);
}
