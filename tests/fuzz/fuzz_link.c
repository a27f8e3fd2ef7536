/* Datagrams to a link: raw, with a right header, and sealed under the keys of a session that stands, so that what a
 * member could send is tried as well. */
#include <link/link.h>
#include <seal/frame.h>
#include <seal/handshake.h>

#include "../../lib/link/src/state.h"
#include "fuzz.h"

#define BOUND 12u /* bytes of the header that the seal covers: all but the checksum */

static uint64_t now_ns, taken;
static struct link *links[2];
static const struct link_address addresses[2] = {{1, 1}, {2, 1}};

static void *take_memory(void *context, size_t bytes)
{
    taken += bytes;
    return malloc(bytes);
}
static void give_memory(void *context, void *block, size_t bytes)
{
    taken -= bytes;
    free(block);
}

static void open_link(uint32_t n)
{
    struct link_config config = {.cluster_name = "lab",
                                 .self = {.node_id = {n + 1, 7}, .boot_id = {n, 1}, .name = "node"},
                                 .memory = {take_memory, give_memory, NULL, 1u << 20},
                                 .port = 1,
                                 .silence_ns = 3000000000ull,
                                 .keepalive_ns = 500000000ull,
                                 .hello_ns = 1000000000ull,
                                 .renew_ns = 60000000000ull,
                                 .renew_bytes = 1u << 20};
    uint8_t key[32];
    memset(key, 3, sizeof(key));
    memset(config.random, (int)n + 1, sizeof(config.random));
    config.log_key = noise_pair_of(config.random);
    MUST(link_open(&config, now_ns, &links[n]) == E_OK);
    MUST(link_key_add(links[n], key) == E_OK);
}

static void drain(uint32_t n)
{
    struct link_event event;
    while (link_next_event(links[n], &event))
        if (event.kind == LINK_MESSAGE || event.kind == LINK_DATAGRAM)
            link_event_done(links[n], &event);
}

static void exchange(uint32_t rounds)
{
    uint8_t frame[SEAL_FRAME_MAX];
    struct link_address to;
    for (uint32_t round = 0; round < rounds; round++) {
        now_ns += 50000000;
        for (uint32_t n = 0; n < 2; n++) {
            for (size_t bytes; (bytes = link_output(links[n], now_ns, &to, frame)) > 0;)
                link_input(links[1 - n], now_ns, addresses[n], frame, bytes);
            drain(0);
            drain(1);
        }
    }
}

static struct peer *other_peer(void)
{
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++)
        if (links[1]->peers[i] != NULL && links[1]->peers[i]->session.own != 0)
            return links[1]->peers[i];
    return NULL;
}

/* As link 1 would send it to link 0. */
static void deliver_sealed(const uint8_t *data, size_t bytes)
{
    uint8_t frame[SEAL_FRAME_MAX];
    struct peer *p = other_peer();
    size_t most = SEAL_FRAME_MAX - SEAL_HEADER_BYTES - 8 - SEAL_TAG_BYTES;
    if (p == NULL)
        return;
    if (bytes > most)
        bytes = most;
    memcpy(frame + SEAL_HEADER_BYTES + 8, data, bytes);
    uint64_t counter = p->session.seal.send_counter;
    for (uint32_t i = 0; i < 8; i++)
        frame[SEAL_HEADER_BYTES + i] = (uint8_t)(counter >> 8 * i);
    const struct seal_header header = {SEAL_DATA, p->session.theirs, 0};
    seal_header_write(&links[0]->cluster, header, frame, SEAL_HEADER_BYTES);
    seal_send(&p->session.seal, frame, BOUND, frame + SEAL_HEADER_BYTES + 8, bytes);
    bytes += SEAL_HEADER_BYTES + 8 + SEAL_TAG_BYTES;
    seal_header_write(&links[0]->cluster, header, frame, bytes);
    link_input(links[0], now_ns, addresses[1], frame, bytes);
}

static void deliver(uint8_t how, uint8_t *data, size_t bytes)
{
    struct seal_identity identity;
    if (bytes >= SEAL_IDENTITY_BYTES)
        (void)seal_identity_decode(data, &identity);
    if (how % 4 == 0 && bytes >= SEAL_HEADER_BYTES && bytes <= SEAL_FRAME_MAX)
        seal_header_write(&links[0]->cluster, (struct seal_header){how / 4 % 5, data[8], 0}, data, bytes);
    if (how % 4 <= 1)
        link_input(links[0], now_ns, addresses[1], data, bytes);
    else
        deliver_sealed(data, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = {data, bytes};
    now_ns = 1000000000;
    open_link(0);
    open_link(1);
    exchange(20);
    MUST(other_peer() != NULL);
    for (uint32_t frames = 0; in.left > 0 && frames < 40; frames++) {
        uint8_t how = input_byte(&in);
        size_t length;
        uint8_t *piece = input_piece(&in, &length);
        deliver(how, piece, length);
        free(piece);
        drain(0);
        if (how & 128)
            exchange(1);
    }
    link_close(links[0]);
    link_close(links[1]);
    MUST(taken == 0);
    return 0;
}
