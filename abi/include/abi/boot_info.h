/* What every boot door hands to the kernel. Physical addresses. The kernel copies what it keeps.
 *
 * The 64-bit door (used by the UEFI loader):
 *  - The kernel's PT_LOAD segments form one block: segment S lies at kernel_base + (S.p_paddr - lowest p_paddr), its
 * bytes beyond p_filesz zeroed. kernel_base is a multiple of 2 MiB, anywhere below 4 GiB; kernel_bytes covers all
 * segments (highest p_paddr + p_memsz - lowest p_paddr), at most 64 MiB.
 *  - boot_info, the configuration text, the bundle (page-aligned) and the stack in use lie below 4 GiB, outside of
 *    the block, in memory that the map lists as BOOT_MEMORY_LOADER. config_bytes does not count a terminating 0.
 *  - Jump to kernel_base + (e_entry - lowest p_paddr) with rdi = physical address of boot_info, in 64-bit mode, all
 *    of this memory identity-mapped, interrupts off, boot services left, the network card shut down, any GDT/IDT/stack.
 *  - memory[] is sorted by base, does not overlap, and is merged by the door into at most BOOT_MEMORY_MAX ranges.
 * The PVH door is the kernel's own: it fills the same structure from hvm_start_info and the firmware configuration
 * device.
 */
#pragma once

#include <abi/types.h>

#define BOOT_INFO_MAGIC   0x424f4f54494e464full
#define BOOT_INFO_VERSION 1
#define BOOT_MEMORY_MAX   256

enum boot_memory_kind {
    BOOT_MEMORY_USABLE = 1,
    BOOT_MEMORY_RESERVED = 2,
    BOOT_MEMORY_ACPI = 3,     /* tables; usable after they are read */
    BOOT_MEMORY_FIRMWARE = 4, /* runtime services: keep */
    BOOT_MEMORY_LOADER = 5    /* kernel, bundle, boot_info, loader's page tables: usable when the kernel says so */
};

struct boot_memory {
    uint64_t base, bytes;
    uint32_t kind, reserved;
};

struct boot_info {
    uint64_t magic;
    uint32_t version, bytes;
    uint32_t memory_count, door; /* door: 1 = UEFI disk, 2 = UEFI PXE, 3 = PVH */
    struct boot_memory memory[BOOT_MEMORY_MAX];
    uint64_t kernel_base, kernel_bytes; /* where the kernel's image was put */
    uint64_t bundle_base, bundle_bytes;
    /* Text of shoal.conf; the door appends overriding lines (fw_cfg, command line). */
    uint64_t config_base, config_bytes;
    uint64_t acpi_rsdp;
    uint64_t smbios;
    uint64_t efi_system_table; /* 0: none */
    uint8_t uuid[16];          /* SMBIOS system UUID; all zero: none */
    uint8_t has_seed, has_key, reserved[6];
    uint8_t seed[64];  /* entropy from firmware or runner */
    uint8_t key[32];   /* cluster key; the kernel wipes it here after taking it */
    uint64_t door_tsc; /* TSC at the door's first instruction */
    struct {
        uint64_t base;
        uint32_t width, height, stride_bytes, format;
    } framebuffer;                    /* base 0: none */
    uint64_t panic_base, panic_bytes; /* memory that survives a restart, for the last panic's text; 0: the kernel looks
                                         for 64 KiB at 1 MiB, the same every time, and takes them if they are usable */
};
