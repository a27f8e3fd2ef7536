/* The UEFI loader's own parts. Boot services are up while any of this runs, but for what handover.c says.
 * Everything that cannot go on calls stop(), which does not return. */
#pragma once

#include <efi.h>
#include <efilib.h>

#include <abi/boot_info.h>

#define LOW_4G (1ull << 32)
#define PAGE   4096ull

struct blob {
    uint8_t *base; /* pages below 4 GiB, of type EfiLoaderData */
    UINT64 bytes;
};

/* Where the loader itself came from; the other files lie beside it. */
struct source {
    UINT32 door; /* as in boot_info */
    EFI_HANDLE device;
    EFI_PXE_BASE_CODE *pxe; /* PXE door */
    EFI_IP_ADDRESS server;
    CHAR8 folder[128];    /* PXE door: with its trailing slash */
    EFI_FILE_HANDLE root; /* disk door */
};

/* ---- stop.c ---- */

/* Says on every console what is wrong, where, and what to do; waits for a key, then restarts the machine. */
__attribute__((noreturn)) void stop(const char *what, const char *where, const char *remedy);
__attribute__((noreturn)) void stop_status(const char *what, const char *where, EFI_STATUS status, const char *remedy);
void say(const char *text);

/* ---- memory.c ---- */

/* Pages below 4 GiB, zeroed. Stops the boot when there are none. */
void *pages_below_4g(UINT64 bytes, EFI_MEMORY_TYPE type);
/* The same, but for NULL instead of a stop. */
void *try_pages_below_4g(UINT64 bytes, EFI_MEMORY_TYPE type);
void *kernel_block(UINT64 bytes); /* aligned to 2 MiB, executable */
/* Gives back the whole pages that a blob does not need. */
void blob_shrink(struct blob *blob, UINT64 room, UINT64 bytes);

/* ---- files.c, pxe.c ---- */

void source_find(struct source *source, EFI_HANDLE image);
/* False: there is no such file. Any other failure stops the boot. Blobs are followed by at least one zero byte. */
bool source_load(struct source *source, const char *name, struct blob *blob_out);
const char *source_text(const struct source *source);
bool pxe_find(struct source *source);
bool pxe_load(struct source *source, const char *name, struct blob *blob_out);
void pxe_shut_down(struct source *source);

/* ---- key.c ---- */

/* The key on the disk that the loader came from, if there is one. */
void load_key_file(struct source *source, struct boot_info *info);
/* After all other sources: keeps the key in the firmware, has it forgotten, or takes the one that is kept there. */
void settle_key(const struct source *source, const struct blob *config, struct boot_info *info);

/* ---- machine.c ---- */

void take_firmware(struct boot_info *info);                    /* ACPI, SMBIOS, UUID, framebuffer, entropy */
void take_fw_cfg(struct boot_info *info, struct blob *config); /* what an emulator's runner says */

/* ---- handover.c ---- */

/* Leaves the boot services and enters the kernel. */
__attribute__((noreturn)) void handover(EFI_HANDLE image, struct boot_info *info, UINT64 entry);
