/* What the firmware and, in an emulator, the runner say about the machine. */
#include "loader.h"

#include "smbios.h"

#define CPUID_HYPERVISOR (1u << 31)
#define FW_CFG_SELECT    0x510
#define FW_CFG_DATA      0x511
#define FW_CFG_SIGNATURE 0x00
#define FW_CFG_FILES     0x19
#define FW_CFG_FILES_MAX 1024u
#define CONFIG_EXTRA_MAX 16384u

static EFI_GUID acpi_guid = ACPI_20_TABLE_GUID;
static EFI_GUID smbios_guid = SMBIOS_TABLE_GUID;
static EFI_GUID smbios3_guid = SMBIOS3_TABLE_GUID;
static EFI_GUID graphics_guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
static EFI_GUID random_guid = {0x3152bca5, 0xeade, 0x433d, {0x86, 0x2e, 0xc0, 0x1c, 0xdc, 0x29, 0x1f, 0x44}};

struct random_protocol {
    EFI_STATUS(EFIAPI *get_info)(struct random_protocol *, UINTN *, EFI_GUID *);
    EFI_STATUS(EFIAPI *get)(struct random_protocol *, EFI_GUID *, UINTN, UINT8 *);
};

static void *table_named(EFI_GUID *guid)
{
    for (UINTN i = 0; i < ST->NumberOfTableEntries; i++)
        if (CompareGuid(&ST->ConfigurationTable[i].VendorGuid, guid) == 0)
            return ST->ConfigurationTable[i].VendorTable;
    return NULL;
}

static void take_smbios(struct boot_info *info)
{
    uint64_t table, bytes;
    void *entry = table_named(&smbios3_guid);
    if (!entry)
        entry = table_named(&smbios_guid);
    info->smbios = (uint64_t)entry;
    if (entry && smbios_entry(entry, &table, &bytes) && !smbios_uuid((const void *)table, bytes, info->uuid))
        ZeroMem(info->uuid, sizeof info->uuid);
}

static void take_framebuffer(struct boot_info *info)
{
    EFI_GRAPHICS_OUTPUT_PROTOCOL *graphics;
    if (EFI_ERROR(BS->LocateProtocol(&graphics_guid, NULL, (void **)&graphics)))
        return;
    EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE *mode = graphics->Mode;
    if (!mode || !mode->Info || mode->Info->PixelFormat > PixelBlueGreenRedReserved8BitPerColor)
        return;
    info->framebuffer.base = mode->FrameBufferBase;
    info->framebuffer.width = mode->Info->HorizontalResolution;
    info->framebuffer.height = mode->Info->VerticalResolution;
    info->framebuffer.stride_bytes = mode->Info->PixelsPerScanLine * 4;
    info->framebuffer.format = mode->Info->PixelFormat;
}

static void take_random(struct boot_info *info)
{
    struct random_protocol *random;
    if (EFI_ERROR(BS->LocateProtocol(&random_guid, NULL, (void **)&random)))
        return;
    if (!EFI_ERROR(random->get(random, NULL, sizeof info->seed, info->seed)))
        info->has_seed = 1;
}

void take_firmware(struct boot_info *info)
{
    info->acpi_rsdp = (uint64_t)table_named(&acpi_guid);
    info->efi_system_table = (uint64_t)ST;
    take_smbios(info);
    take_framebuffer(info);
    take_random(info);
}

/* ---- QEMU's firmware configuration device ---- */

static void out16(UINT16 port, UINT16 value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static UINT8 in8(UINT16 port)
{
    UINT8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void fw_cfg_read(void *to, UINT32 bytes)
{
    for (UINT8 *p = to; bytes > 0; bytes--)
        *p++ = in8(FW_CFG_DATA);
}

/* Real machines may have anything at these ports: ask only where a hypervisor says it is one. */
static bool fw_cfg_present(void)
{
    UINT32 a = 1, b, c = 0, d;
    UINT8 signature[4];
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (!(c & CPUID_HYPERVISOR))
        return false;
    out16(FW_CFG_SELECT, FW_CFG_SIGNATURE);
    fw_cfg_read(signature, sizeof signature);
    return CompareMem(signature, "QEMU", 4) == 0;
}

struct fw_cfg_file { /* big-endian */
    UINT32 bytes;
    UINT16 item, reserved;
    CHAR8 name[56];
};

/* Selects the item for reading. */
static bool fw_cfg_select(const char *name, UINT32 *bytes_out)
{
    UINT32 count;
    struct fw_cfg_file file;
    out16(FW_CFG_SELECT, FW_CFG_FILES);
    fw_cfg_read(&count, sizeof count);
    count = __builtin_bswap32(count);
    for (UINT32 i = 0; i < count && i < FW_CFG_FILES_MAX; i++) {
        fw_cfg_read(&file, sizeof file);
        file.name[sizeof file.name - 1] = 0;
        if (strcmpa(file.name, (const CHAR8 *)name) != 0)
            continue;
        *bytes_out = __builtin_bswap32(file.bytes);
        out16(FW_CFG_SELECT, __builtin_bswap16(file.item));
        return true;
    }
    return false;
}

/* Its lines come after the file's, so that they win. */
static void append_config(struct blob *config)
{
    UINT32 bytes;
    if (!fw_cfg_select("opt/shoal/conf", &bytes))
        return;
    if (bytes > CONFIG_EXTRA_MAX)
        stop("the configuration from the runner is too long", "opt/shoal/conf", "shorten it to 16 KiB");
    UINT8 *joined = pages_below_4g(config->bytes + bytes + 2, EfiLoaderData);
    CopyMem(joined, config->base, config->bytes);
    joined[config->bytes] = '\n';
    fw_cfg_read(joined + config->bytes + 1, bytes);
    config->base = joined;
    config->bytes += 1 + bytes;
}

static bool take_exactly(const char *name, UINT8 *to, UINT32 wanted)
{
    UINT32 bytes;
    if (!fw_cfg_select(name, &bytes))
        return false;
    if (bytes != wanted)
        stop("a file from the runner has the wrong length", name, "the key is 32 bytes long, the seed 64");
    fw_cfg_read(to, wanted);
    return true;
}

void take_fw_cfg(struct boot_info *info, struct blob *config)
{
    UINT8 seed[sizeof info->seed];
    if (!fw_cfg_present())
        return;
    append_config(config);
    if (take_exactly("opt/shoal/key", info->key, sizeof info->key))
        info->has_key = 1;
    if (take_exactly("opt/shoal/seed", seed, sizeof seed)) {
        for (UINTN i = 0; i < sizeof seed; i++)
            info->seed[i] ^= seed[i]; /* no worse than the better of the two */
        info->has_seed = 1;
    }
    ZeroMem(seed, sizeof seed);
}
