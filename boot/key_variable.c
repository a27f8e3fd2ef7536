#include "key_variable.h"

#include <base/config.h>

const char *key_variable_fault(uint32_t attributes, uint64_t bytes)
{
    if (attributes & KEY_VARIABLE_RUNTIME)
        return "the cluster key in the firmware could be read and replaced by what ran on this machine before";
    if (attributes != KEY_VARIABLE_ATTRIBUTES)
        return "the cluster key in the firmware has attributes that Shoal does not give it";
    if (bytes != KEY_VARIABLE_BYTES)
        return "the cluster key in the firmware is not 32 bytes long";
    return NULL;
}

enum key_wish key_wish(const void *text, uint64_t bytes)
{
    static struct config config;
    static struct config_error error;
    config_parse(text, bytes, &config, &error);
    const char *value = error.line == 0 ? config_value(&config, "key_store") : NULL;
    return !value ? KEY_AS_IT_IS : value[0] == 'f' ? KEY_FORGET : KEY_STORE;
}
