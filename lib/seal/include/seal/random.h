/* A stream of unpredictable bytes from one seed. Earlier output cannot be had from the state. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct seal_random {
    uint8_t key[32];
};

void seal_random_begin(struct seal_random *r, const uint8_t seed[32]);
void seal_random_bytes(struct seal_random *r, void *to, size_t bytes);
