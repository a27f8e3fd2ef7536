#include "fw_cfg.h"

#include <base/mem.h>

#include "cpu.h"

#define PORT_SELECT 0x510
#define PORT_DATA   0x511

#define ITEM_SIGNATURE 0x00
#define ITEM_UUID      0x02
#define ITEM_FILES     0x19
#define FILES_MAX      1024u

struct fw_cfg_file { /* big-endian */
    uint32_t bytes;
    uint16_t item, reserved;
    char name[56];
};

static void read_item(void *to, uint32_t bytes)
{
    for (uint8_t *p = to; bytes > 0; bytes--)
        *p++ = port_in8(PORT_DATA);
}

static bool present(void)
{
    char signature[4];
    port_out16(PORT_SELECT, ITEM_SIGNATURE);
    read_item(signature, sizeof signature);
    return memcmp(signature, "QEMU", 4) == 0;
}

static bool find(const char *name, struct fw_cfg_file *file)
{
    uint32_t count;
    port_out16(PORT_SELECT, ITEM_FILES);
    read_item(&count, sizeof count);
    count = __builtin_bswap32(count);
    for (uint32_t i = 0; i < count && i < FILES_MAX; i++) {
        read_item(file, sizeof *file);
        file->name[sizeof file->name - 1] = 0;
        if (strcmp(file->name, name) == 0)
            return true;
    }
    return false;
}

bool fw_cfg_read(const char *name, void *to, uint32_t room, uint32_t *bytes_out)
{
    struct fw_cfg_file file;
    *bytes_out = 0;
    if (!present() || !find(name, &file))
        return false;
    uint32_t bytes = __builtin_bswap32(file.bytes);
    *bytes_out = bytes;
    port_out16(PORT_SELECT, __builtin_bswap16(file.item));
    read_item(to, bytes < room ? bytes : room);
    return true;
}

bool fw_cfg_uuid(uint8_t uuid[16])
{
    if (!present())
        return false;
    port_out16(PORT_SELECT, ITEM_UUID);
    read_item(uuid, 16);
    return true;
}
