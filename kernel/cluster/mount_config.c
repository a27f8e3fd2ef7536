/* From the configuration to struct node_config: name, key, voters, ids. */
#include <abi/peer.h>
#include <kernel/bundle.h>
#include <kernel/system.h>
#include <seal/primitives.h>

#include "cluster.h"
#include "text.h"

#define WINDOW_ENTRIES 2048u
#define WINDOW_BYTES   (512u * 1024u)
#define LINK_BYTES     (4u * 1024u * 1024u)

static void copy_text(char *to, size_t room, const char *from)
{
    struct text t = text_begin(to, room);
    text_put(&t, from);
}

/* A node that takes part in no cluster keeps none either. */
static void take_key(bool wanted)
{
    struct boot_info *info = (struct boot_info *)(uintptr_t)boot_info_get();
    if (wanted)
        memcpy(cluster.config.cluster_key, info->key, sizeof(info->key));
    seal_wipe(info->key, sizeof(info->key));
}

bool cluster_take_key(const uint8_t key[32])
{
    if (!cluster.key_awaited)
        return false;
    memcpy(cluster.config.cluster_key, key, sizeof(cluster.config.cluster_key));
    cluster.key_awaited = false;
    cluster.configured = true;
    return true;
}

static void check(void)
{
    uint8_t probe;
    if (!config_get("cluster"))
        cluster.unconfigured = "";
    else if (!arch_random(&probe, 1))
        cluster.unconfigured = "entropy (a seed from the runner, the firmware, or RDRAND)";
    else if (boot_info_get()->has_key)
        cluster.configured = true;
    else
        cluster.key_awaited = true;
    if (cluster.key_awaited)
        cluster.unconfigured =
            "the cluster key (opt/shoal/key, shoal.key on a local disk, the firmware, or `key enter`)";
}

void cluster_configure(void)
{
    struct node_config *c = &cluster.config;
    const char *name = config_get("node"), *genesis = config_get("genesis");
    check();
    take_key(cluster.configured);
    if (!cluster.configured && !cluster.key_awaited)
        return;
    copy_text(c->cluster_name, sizeof(c->cluster_name), config_get("cluster"));
    copy_text(c->name, sizeof(c->name), name ? name : "");
    c->genesis = genesis && genesis[0] == 'y';
    c->cpus = cpu_count();
    c->heartbeat_ns = (uint64_t)config_get_number("heartbeat_ms", 100) * 1000000;
    c->election_ns = (uint64_t)config_get_number("election_ms", 1000) * 1000000;
    c->port = PEER_PORT;
    c->window_entries = WINDOW_ENTRIES;
    c->window_bytes = WINDOW_BYTES;
    c->link_bytes = LINK_BYTES;
    memcpy(c->boot_id, system_boot_id(), sizeof(c->boot_id));
    arch_random(c->random, sizeof(c->random));
}

/* ---- who this node is ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The hex digits of one entry of a comma-separated list, without ':' and '-'. Returns where the next entry begins. */
static const char *entry_digits(const char *at, uint8_t out[16], uint32_t *count_out)
{
    uint32_t digits = 0;
    for (; *at && *at != ','; at++) {
        int d = hex_digit(*at);
        if (d < 0 || digits >= 32)
            continue;
        out[digits / 2] = (uint8_t)(digits % 2 ? out[digits / 2] << 4 | d : d);
        digits++;
    }
    *count_out = digits;
    return *at ? at + 1 : at;
}

static bool entry_is_us(const uint8_t *entry, uint32_t digits, const uint8_t mac[6], const uint8_t uuid[16])
{
    return (digits == 12 && memcmp(entry, mac, 6) == 0) || (digits == 32 && memcmp(entry, uuid, 16) == 0);
}

static void find_voter(const uint8_t mac[6], const uint8_t uuid[16])
{
    const char *at = config_get("voters");
    while (at && *at) {
        uint8_t entry[16] = {0};
        uint32_t digits;
        at = entry_digits(at, entry, &digits);
        if (digits != 12 && digits != 32)
            continue;
        if (cluster.config.voter_count == NODE_VOTERS_MAX)
            return;
        cluster.config.voter_count++;
        if (entry_is_us(entry, digits, mac, uuid))
            cluster.config.voter = cluster.config.voter_count;
    }
}

/* All bytes alike, or the one that board makers forget to change. */
static bool uuid_is_placeholder(const uint8_t uuid[16])
{
    static const uint8_t forgotten[16] = {0x00, 0x02, 0x00, 0x03, 0x00, 0x04, 0x00, 0x05,
                                          0x00, 0x06, 0x00, 0x07, 0x00, 0x08, 0x00, 0x09};
    bool alike = true;
    for (int i = 1; i < 16; i++)
        alike = alike && uuid[i] == uuid[0];
    return alike || memcmp(uuid, forgotten, 16) == 0;
}

void cluster_identify(const uint8_t mac[6])
{
    const uint8_t *uuid = boot_info_get()->uuid;
    uint8_t hash[32];
    if (uuid_is_placeholder(uuid))
        seal_sha256("shoal node by card", 18, mac, 6, hash);
    else
        seal_sha256("shoal node by uuid", 18, uuid, 16, hash);
    memcpy(cluster.config.node_id, hash, 16);
    cluster.config.node_id[0] |= 1; /* 0 is nobody */
    find_voter(mac, uuid);
    if (cluster.config.name[0])
        return;
    struct text t = text_begin(cluster.config.name, sizeof(cluster.config.name));
    text_put(&t, "node-");
    for (int i = 3; i < 6; i++) {
        char byte[3] = {"0123456789abcdef"[mac[i] >> 4], "0123456789abcdef"[mac[i] & 15], 0};
        text_put(&t, byte);
    }
}
