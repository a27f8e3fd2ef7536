/* shoal.conf: any text is taken or told what is wrong with which line. */
#include <base/config.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct config config;
    struct config_error error = {.line = 0};
    const char *key, *value;
    char *exact = malloc(bytes + (bytes == 0));
    memcpy(exact, data, bytes);
    err_t err = config_parse(exact, bytes, &config, &error);
    free(exact);
    MUST(err == E_OK || err == E_INVALID || err == E_TOO_LONG);
    if (err == E_INVALID)
        MUST(error.line > 0 && error.text[0] != 0 && memchr(error.text, 0, sizeof(error.text)) != NULL);
    for (uint32_t i = 0; config_at(&config, i, &key, &value); i++)
        MUST(value == config_value(&config, key) && (value == NULL || strlen(value) < CONFIG_BYTES_MAX));
    return 0;
}
