/* The PVH door: boot_info out of hvm_start_info (the structure that emulators hand to a PVH kernel) and the firmware
 * configuration device. For quick test boots; nothing here runs on real machines. */
#include "pvh.h"

#include <base/mem.h>
#include <kernel/boot.h>
#include <kernel/debug.h>

#include "fw_cfg.h"
#include "layout.h"

#define START_MAGIC 0x336ec578u
#define COMMAND_MAX 4096u
#define DOOR_PVH    3
#define LOW_4G      (4ull << 30)

struct hvm_start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp;
    uint64_t memory_map; /* version 1 */
    uint32_t memory_map_count, reserved;
};

struct hvm_module {
    uint64_t base, bytes, command_line, reserved;
};

struct hvm_memory {
    uint64_t base, bytes;
    uint32_t type, reserved;
};

static uint32_t memory_kind(uint32_t e820_type)
{
    switch (e820_type) {
    case 1:
        return BOOT_MEMORY_USABLE;
    case 3:
        return BOOT_MEMORY_ACPI;
    case 4:
        return BOOT_MEMORY_FIRMWARE;
    default:
        return BOOT_MEMORY_RESERVED;
    }
}

static void take_memory(struct boot_info *info, const struct hvm_start_info *start)
{
    const struct hvm_memory *map = phys_to_virt(start->memory_map);
    uint32_t count = start->memory_map_count < BOOT_MEMORY_MAX ? start->memory_map_count : BOOT_MEMORY_MAX;
    for (uint32_t i = 0; i < count; i++)
        info->memory[i] = (struct boot_memory){map[i].base, map[i].bytes, memory_kind(map[i].type), 0};
    info->memory_count = count;
}

/* `;` separates configuration lines on the kernel command line. */
static void take_command_line(const struct hvm_start_info *start)
{
    static char line[COMMAND_MAX];
    uint32_t n = 0;
    if (!start->command_line || start->command_line >= LOW_4G)
        return;
    for (const char *p = phys_to_virt(start->command_line); *p; p++) {
        if (n == COMMAND_MAX)
            boot_stop("the kernel command line is longer than 4095 bytes", "shorten -append");
        line[n++] = *p == ';' ? '\n' : *p;
    }
    if (n && !boot_config_append(line, n))
        boot_stop("the configuration is too long", "shorten -append or opt/shoal/conf");
}

static void take_fw_cfg(struct boot_info *info)
{
    static char text[BOOT_CONFIG_MAX];
    uint32_t bytes;
    if (fw_cfg_read("opt/shoal/conf", text, sizeof text, &bytes)) {
        if (bytes > sizeof text || !boot_config_append(text, bytes))
            boot_stop("the configuration in opt/shoal/conf is too long", "shorten it to 16 KiB");
    }
    if (fw_cfg_read("opt/shoal/key", info->key, sizeof info->key, &bytes)) {
        if (bytes != sizeof info->key)
            boot_stop("the cluster key in opt/shoal/key is not 32 bytes long", "give a file of 32 random bytes");
        info->has_key = 1;
    }
    if (fw_cfg_read("opt/shoal/seed", info->seed, sizeof info->seed, &bytes)) {
        if (bytes != sizeof info->seed)
            boot_stop("the entropy in opt/shoal/seed is not 64 bytes long", "give a file of 64 random bytes");
        info->has_seed = 1;
    }
    fw_cfg_uuid(info->uuid);
}

void pvh_take(uint64_t start_phys)
{
    struct boot_info *info = boot_info_edit();
    const struct hvm_start_info *start = phys_to_virt(start_phys);
    if (start->magic != START_MAGIC || start->version < 1 || !start->memory_map_count)
        boot_stop("the emulator's PVH start information has no memory map", "use QEMU 4.0 or later");
    info->magic = BOOT_INFO_MAGIC;
    info->version = BOOT_INFO_VERSION;
    info->bytes = sizeof *info;
    info->door = DOOR_PVH;
    info->door_tsc = door_tsc;
    info->kernel_base = kernel_phys_base;
    info->kernel_bytes = (uint64_t)(kernel_image_end - kernel_image_start);
    info->acpi_rsdp = start->rsdp;
    take_memory(info, start);
    if (start->module_count > 0) {
        const struct hvm_module *module = phys_to_virt(start->modules);
        info->bundle_base = module->base;
        info->bundle_bytes = module->bytes;
    }
    take_fw_cfg(info);
    take_command_line(start);
}
