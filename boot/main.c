/* BOOTX64.EFI: finds shoal.img and shoal.conf where it came from itself, checks them, and starts the kernel.
 * The contract with the kernel is abi/include/abi/boot_info.h. */
#include "loader.h"

#include <base/bundle.h>

#include "kernel_file.h"

static UINT64 read_tsc(void)
{
    UINT32 low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (UINT64)high << 32 | low;
}

static void load_bundle(struct source *source, struct blob *bundle)
{
    if (!source_load(source, "shoal.img", bundle))
        stop("there is no file shoal.img", source_text(source), "put build/shoal.img beside the loader (`make build`)");
    static char fault[256];
    if (bundle_check(bundle->base, bundle->bytes, fault, sizeof fault) != E_OK)
        stop(fault, "the boot bundle shoal.img", "copy build/shoal.img there again (`make build` makes it)");
    bundle->bytes = ((const struct bundle_header *)bundle->base)->total_bytes;
}

static void load_config(struct source *source, struct blob *config)
{
    if (!source_load(source, "shoal.conf", config))
        stop("there is no file shoal.conf", source_text(source),
             "put a shoal.conf beside the loader; boot/shoal.conf is one");
    /* Over PXE the length may be wrong; text ends at its first zero byte at the latest. */
    UINT64 bytes = 0;
    while (bytes < config->bytes && config->base[bytes])
        bytes++;
    config->bytes = bytes;
}

static const struct bundle_part *kernel_part(const struct blob *bundle)
{
    for (uint32_t i = 0; i < bundle_count(bundle->base); i++)
        if (bundle_part_at(bundle->base, i)->kind == BUNDLE_KERNEL)
            return bundle_part_at(bundle->base, i);
    stop("the bundle holds no kernel", "shoal.img", "make the bundle again (`make build`)");
}

/* The entry point's address. */
static UINT64 place_kernel(const struct blob *bundle, struct boot_info *info)
{
    struct kernel_plan plan;
    const struct bundle_part *part = kernel_part(bundle);
    const UINT8 *file = bundle->base + part->offset;
    if (!kernel_file_plan(file, part->bytes, &plan))
        stop("the kernel is not one that can be loaded", "shoal.img, part kernel",
             "make the bundle again (`make build`)");
    void *block = kernel_block(plan.bytes);
    kernel_file_place(file, &plan, block);
    info->kernel_base = (uint64_t)block;
    info->kernel_bytes = plan.bytes;
    return (UINT64)block + plan.entry_offset;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table)
{
    UINT64 started = read_tsc();
    struct source source;
    struct blob bundle, config;
    InitializeLib(image, system_table);
    BS->SetWatchdogTimer(0, 0, 0, NULL);
    source_find(&source, image);
    Print(L"Shoal: loading from %a\n", source_text(&source));

    struct boot_info *info = pages_below_4g(sizeof *info, EfiLoaderData);
    info->magic = BOOT_INFO_MAGIC;
    info->version = BOOT_INFO_VERSION;
    info->bytes = sizeof *info;
    info->door = source.door;
    info->door_tsc = started;
    load_bundle(&source, &bundle);
    load_config(&source, &config);
    load_key_file(&source, info);
    take_firmware(info);
    take_fw_cfg(info, &config);
    settle_key(&source, &config, info);
    UINT64 entry = place_kernel(&bundle, info);
    info->bundle_base = (uint64_t)bundle.base;
    info->bundle_bytes = bundle.bytes;
    info->config_base = (uint64_t)config.base;
    info->config_bytes = config.bytes;
    Print(L"Shoal: %d KiB checked, starting the kernel\n", (UINTN)(bundle.bytes / 1024));
    pxe_shut_down(&source);
    handover(image, info, entry);
}
