/* What the parts of bench share. */
#pragma once

#include <abi/types.h>
#include <os/syscall.h>

struct client {
    uint32_t number, count, failed;
    uint64_t *taken_ns; /* one a successful operation */
};

static inline uint64_t bench_now_ns(void)
{
    return os_clock(CLOCK_ID_MONOTONIC_NS);
}

/* ---- cluster.c ---- */
void bench_begin(void);
err_t bench_put(const struct client *c);
err_t bench_get(const struct client *c);
err_t bench_lock(const struct client *c);
err_t bench_lock_one(const struct client *c);
err_t bench_use_node(uint32_t node);
err_t bench_spawn(const struct client *c);
err_t bench_remote_null(const struct client *c);
int bench_member(void);
int bench_gap(uint32_t limit_ms, uint32_t long_ms);

/* ---- net.c ---- */
err_t bench_use_network(uint32_t node);
err_t bench_use_udp(uint32_t node);
err_t bench_use_tcp(uint32_t node);
err_t bench_icmp(const struct client *c);
err_t bench_udp(const struct client *c);
err_t bench_tcp(const struct client *c);
int bench_bulk(uint32_t node, uint32_t mebibytes);
int bench_serve(void);
