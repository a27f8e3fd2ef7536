/* Nodes with links, a clock, and a wire between them that loses, doubles, delays and records what it carries. */
#pragma once

#include <link/link.h>
#include <test/check.h>
#include <test/random.h>

#define NODES   4u
#define MS      1000000ull
#define TRANSIT 4096u

struct packet {
    uint64_t due_ns;
    uint32_t from, to; /* to NODES: everyone */
    uint32_t bytes;
    uint8_t data[SEAL_FRAME_MAX];
};

struct node {
    struct link *l;
    size_t memory;
    uint64_t boot;
    uint32_t session[NODES]; /* with each node; 0: none */
    uint32_t peer[NODES];
    uint32_t ups, downs, refused;
    uint32_t reasons; /* bits, by enum link_refusal */
    struct link_event last_down;
    /* what came: see network.c */
    void (*message)(struct node *n, uint32_t from, const struct link_event *event);
    uint32_t index;
};

struct network {
    struct random random;
    uint64_t now_ns;
    uint32_t node_count;
    uint64_t renew_ms, renew_bytes;                  /* of links opened from now on */
    bool entropy;                                    /* the same */
    uint32_t loss_percent, double_percent, delay_ms; /* delay: at most, at random: reorders */
    bool cut[NODES][NODES];                          /* from, to */
    uint64_t log_id[NODES];                          /* of links opened from now on, as the next two */
    struct noise_pair log_key[NODES];
    struct link_vet vet;
    struct node nodes[NODES];
    struct packet *transit;
    uint32_t transit_count;
    void (*tap)(struct packet *p); /* sees, and may change, all that is sent; NULL: nobody */
};

extern struct network net;

void network_start(uint32_t nodes, uint64_t seed);
void network_stop(void);
/* A power-on: a new boot id. key_byte 0: without a key. */
void network_boot(uint32_t node, const char *cluster, uint8_t key_byte, uint64_t node_id);
/* One more cluster key, all of it that byte; or one less. */
void network_key(uint32_t node, uint8_t key_byte);
void network_key_drop(uint32_t node, uint8_t key_byte);
void network_run(uint64_t ms);
bool network_linked(uint32_t a, uint32_t b);
void network_inject(uint32_t from, uint32_t to, const void *data, uint32_t bytes);
err_t network_send(uint32_t from, uint32_t to, uint32_t channel, const void *data, size_t bytes, uint32_t *number);
