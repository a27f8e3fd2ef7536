#include "private.h"

#include <shoal/keys.h>

_Static_assert(SHOAL_KEY_MAX == CLUSTER_PUT_KEY_MAX && SHOAL_VALUE_MAX == CLUSTER_PUT_VALUE_MAX &&
                   SHOAL_VALUE_MAX == CLUSTER_LIST_KEYS_MAX,
               "the service's own limits");

err_t shoal_get(handle_t cluster, uint64_t deadline, const char *key, void *value, size_t room, size_t *bytes_out,
                uint64_t *revision_out)
{
    uint32_t length = 0;
    uint32_t most = room < SHOAL_VALUE_MAX ? (uint32_t)room : SHOAL_VALUE_MAX;
    err_t err = read_result(cluster_get(cluster, deadline, key, revision_out, value, most, &length));
    if (err == E_OK && bytes_out)
        *bytes_out = length;
    return err;
}

err_t shoal_put(handle_t cluster, uint64_t deadline, const char *key, const void *value, size_t bytes,
                uint64_t if_revision, uint64_t *revision_out)
{
    return bytes > SHOAL_VALUE_MAX
               ? E_TOO_LONG
               : cluster_put(cluster, deadline, if_revision, key, value, (uint32_t)bytes, revision_out);
}

err_t shoal_delete(handle_t cluster, uint64_t deadline, const char *key, uint64_t if_revision)
{
    return cluster_del(cluster, deadline, if_revision, key, NULL);
}

err_t shoal_put_ephemeral(const struct shoal_session *session, uint64_t deadline, const char *key, const void *value,
                          size_t bytes, uint64_t *revision_out)
{
    return bytes > SHOAL_VALUE_MAX ? E_TOO_LONG
                                   : cluster_put_owned(session->cluster, deadline, session->number, 0, key, value,
                                                       (uint32_t)bytes, revision_out, NULL);
}

static void append_digits(char *name, uint64_t number)
{
    char *digits = name + strlen(name);
    for (uint32_t i = SHOAL_SEQUENCE_DIGITS; i--; number /= 10)
        digits[i] = (char)('0' + number % 10);
    digits[SHOAL_SEQUENCE_DIGITS] = 0;
}

err_t shoal_put_sequence(handle_t cluster, uint64_t deadline, const struct shoal_session *session, const char *prefix,
                         const void *value, size_t bytes, char *name_out, uint64_t *revision_out)
{
    uint64_t number;
    name_out[0] = 0;
    if (bytes > SHOAL_VALUE_MAX || strlen(prefix) > SHOAL_KEY_MAX - SHOAL_SEQUENCE_DIGITS)
        return E_TOO_LONG;
    err_t err = cluster_put_owned(cluster, deadline, session ? session->number : 0, 1, prefix, value, (uint32_t)bytes,
                                  revision_out, &number);
    if (err)
        return err;
    strcpy(name_out, prefix);
    append_digits(name_out, number);
    return E_OK;
}

/* ---- listing ---- */

err_t shoal_keys_begin(struct shoal_keys *keys, handle_t cluster, const char *prefix)
{
    keys->cluster = cluster;
    keys->at = keys->used = 0;
    keys->last = false;
    keys->after[0] = 0;
    return take_name(keys->prefix, prefix, SHOAL_KEY_MAX) ? E_OK : E_TOO_LONG;
}

/* The row at keys->at: u64 revision, u32 value bytes, u32 name bytes, the name padded to 8. False: malformed. */
static bool take_key(struct shoal_keys *keys, struct shoal_key *key)
{
    const uint8_t *row = keys->page + keys->at;
    uint32_t name_bytes, left = keys->used - keys->at;
    if (left < 16)
        return false;
    memcpy(&name_bytes, row + 12, 4);
    if (name_bytes > SHOAL_KEY_MAX || ((name_bytes + 7) & ~7u) > left - 16)
        return false;
    memcpy(&key->revision, row, 8);
    memcpy(&key->value_bytes, row + 8, 4);
    memcpy(keys->after, row + 16, name_bytes);
    keys->after[name_bytes] = 0;
    key->name = keys->after;
    keys->at += 16 + ((name_bytes + 7) & ~7u);
    return true;
}

err_t shoal_keys_next(struct shoal_keys *keys, uint64_t deadline, struct shoal_key *key_out)
{
    if (keys->last)
        return E_NOT_FOUND;
    if (keys->at == keys->used) {
        keys->at = keys->used = 0;
        err_t err = read_result(cluster_list(keys->cluster, deadline, keys->prefix, keys->after, keys->page,
                                             sizeof keys->page, &keys->used));
        keys->last = err == E_OK && keys->used == 0;
        if (err || keys->last)
            return err ? err : E_NOT_FOUND;
    }
    if (take_key(keys, key_out))
        return E_OK;
    keys->last = true;
    return E_BAD_MESSAGE;
}
