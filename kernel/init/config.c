/* The node's configuration, checked once. */
#include <base/config.h>
#include <base/mem.h>
#include <kernel/boot.h>
#include <kernel/bundle.h>
#include <kernel/console.h>
#include <kernel/debug.h>
#include <kernel/panic.h>

static struct config config;

static void apply(void)
{
    const char *panic_value = config_get("panic"), *console = config_get("console");
    if (panic_value && strcmp(panic_value, "halt") == 0)
        panic_configure(PANIC_HALT);
    if (panic_value && strcmp(panic_value, "exit") == 0)
        panic_configure(PANIC_EXIT);
    if (console)
        console_configure(strcmp(console, "screen") != 0, strcmp(console, "serial") != 0);
}

void boot_config_init(void)
{
    struct config_error error;
    char what[CONFIG_ERROR_TEXT + 64];
    uint64_t bytes;
    const char *text = boot_config_text(&bytes);
    err_t err = config_parse(text, bytes, &config, &error);
    if (err == E_INVALID) { /* said everywhere: the setting of the console may be what is wrong */
        kformat(what, sizeof what, "configuration line %u: %s", error.line, error.text);
        boot_stop(what, "correct that line of shoal.conf (or of what the door appended to it) and boot again");
    }
    if (err)
        boot_stop("the configuration is too long", "shorten shoal.conf to less than 16 KiB");
    apply();
}

const char *config_get(const char *key)
{
    return config_value(&config, key);
}

int64_t config_get_number(const char *key, int64_t otherwise)
{
    config_number(&config, key, &otherwise);
    return otherwise;
}

bool config_restricts(const char *what)
{
    const char *list = config_get("restrict");
    return list && config_word(list, what);
}

bool config_next(uint32_t n, const char **key_out, const char **value_out)
{
    for (uint32_t place = 0; config_at(&config, place, key_out, value_out); place++)
        if (*value_out && n-- == 0)
            return true;
    return false;
}
