/* The boot bundle: checked once, in full, then only looked into. */
#include <base/bundle.h>
#include <base/mem.h>
#include <kernel/arch.h>
#include <kernel/boot.h>
#include <kernel/bundle.h>
#include <kernel/debug.h>

static const void *image;

void boot_bundle_init(void)
{
    const struct boot_info *info = boot_info_get();
    char fault[160], what[200];
    if (!info->bundle_bytes)
        boot_stop("there is no boot bundle", "give the kernel shoal.img (QEMU: -initrd build/shoal.img)");
    if (info->bundle_base % PAGE_BYTES)
        boot_stop("the boot bundle does not begin on a page", "use the loader and the kernel of one build");
    image = phys_to_virt(info->bundle_base);
    if (bundle_check(image, info->bundle_bytes, fault, sizeof fault) == E_OK)
        return;
    kformat(what, sizeof what, "the boot bundle shoal.img: %s", fault);
    boot_stop(what, "copy shoal.img again, or build it again");
}

const struct bundle_part *bundle_find(const char *name, const void **bytes_out)
{
    for (uint32_t i = 0; i < bundle_count(image); i++) {
        const struct bundle_part *p = bundle_part_at(image, i);
        if (strcmp(p->name, name) != 0)
            continue;
        *bytes_out = (const char *)image + p->offset;
        return p;
    }
    return NULL;
}

uint64_t bundle_phys(uint64_t *bytes_out)
{
    *bytes_out = (boot_info_get()->bundle_bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    return boot_info_get()->bundle_base;
}
