/* Messages of remote calls: what decodes has everything within its bounds, and is encoded to what decodes alike. */
#include <remote_wire.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct remote_message m, again;
    static uint8_t encoded[1u << 20];
    uint8_t *exact = malloc(bytes + (bytes == 0));
    memcpy(exact, data, bytes);
    memset(&m, 0, sizeof(m));
    if (remote_decode(exact, bytes, &m) == NULL) {
        size_t count = remote_encode(&m, encoded, sizeof(encoded));
        MUST(count > 0);
        memset(&again, 0, sizeof(again));
        MUST(remote_decode(encoded, count, &again) == NULL);
        MUST(again.kind == m.kind && again.call == m.call && again.target == m.target && again.tag == m.tag &&
             again.data_bytes == m.data_bytes);
        uint32_t sum = 0; /* all of it can be read */
        for (uint32_t i = 0; i < TAG_BYTES(m.tag) && m.bytes != NULL; i++)
            sum += m.bytes[i];
        for (uint32_t i = 0; i < m.data_bytes && m.data != NULL; i++)
            sum += m.data[i];
        MUST(sum != UINT32_MAX);
    }
    free(exact);
    return 0;
}
