/* Configurations and changes of them: what decodes is encoded alike, and whatever the algebra allows is valid. */
#include <raft/conf.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct raft_conf conf, next;
    struct raft_conf_change change;
    uint8_t encoded[RAFT_CONF_BYTES_MAX];
    struct input in = {data, bytes};
    size_t conf_bytes, change_bytes;
    uint8_t *first = input_piece(&in, &conf_bytes), *second = input_piece(&in, &change_bytes);
    bool conf_good = raft_conf_decode(first, conf_bytes, &conf) == E_OK;
    bool change_good = raft_conf_change_decode(second, change_bytes, &change) == E_OK;
    if (conf_good)
        MUST(raft_conf_encode(&conf, encoded) == conf_bytes && memcmp(encoded, first, conf_bytes) == 0);
    if (change_good)
        MUST(raft_conf_change_encode(&change, encoded) == change_bytes && memcmp(encoded, second, change_bytes) == 0);
    const char *why = NULL;
    if (conf_good && change_good)
        MUST(raft_conf_apply(&conf, &change, &next, &why) == E_OK ? raft_conf_valid(&next) : why != NULL);
    free(first);
    free(second);
    return 0;
}
