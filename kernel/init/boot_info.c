/* The kernel's own copy of what the door handed over. The door's memory is given back soon after, so what is pointed at
 * is copied too (the configuration) or kept (the bundle). */
#include <base/mem.h>
#include <kernel/arch.h>
#include <kernel/boot.h>
#include <kernel/bundle.h>
#include <kernel/debug.h>

static struct boot_info boot;
static char config_text[BOOT_CONFIG_MAX];
static uint64_t config_length;

const struct boot_info *boot_info_get(void)
{
    return &boot;
}
struct boot_info *boot_info_edit(void)
{
    return &boot;
}

const char *boot_config_text(uint64_t *bytes_out)
{
    *bytes_out = config_length;
    return config_text;
}

bool boot_config_append(const char *text, uint64_t bytes)
{
    if (bytes >= BOOT_CONFIG_MAX - config_length)
        return false;
    memcpy(config_text + config_length, text, bytes);
    config_length += bytes;
    config_text[config_length++] = '\n';
    return true;
}

static bool sane(const struct boot_info *info)
{
    return info->magic == BOOT_INFO_MAGIC && info->version == BOOT_INFO_VERSION && info->bytes == sizeof *info &&
           info->memory_count > 0 && info->memory_count <= BOOT_MEMORY_MAX;
}

void boot_info_take(struct boot_info *from)
{
    if (!sane(from))
        boot_stop("the loader handed over a boot_info of another version",
                  "use the loader and the kernel of one build");
    memcpy(&boot, from, sizeof boot);
    memset(from->key, 0, sizeof from->key);
    memset(from->seed, 0, sizeof from->seed);
    if (boot.config_bytes && !boot_config_append(phys_to_virt(boot.config_base), boot.config_bytes))
        boot_stop("the configuration is too long", "shorten shoal.conf");
}
