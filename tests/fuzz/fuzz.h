/* What the fuzz targets share. A target takes any bytes and must come back; what it finds out about them it asserts. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                             \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* Takes numbers and pieces off the front of an input. */
struct input {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t input_byte(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

static inline uint32_t input_u16(struct input *in)
{
    uint32_t low = input_byte(in);
    return low | (uint32_t)input_byte(in) << 8;
}

/* The next piece, by its length in two bytes before it: exactly that room, so that reading beyond it is seen. */
static inline uint8_t *input_piece(struct input *in, size_t *bytes_out)
{
    size_t bytes = input_u16(in);
    if (bytes > in->left)
        bytes = in->left;
    uint8_t *copy = malloc(bytes + (bytes == 0));
    memcpy(copy, in->at, bytes);
    in->at += bytes;
    in->left -= bytes;
    *bytes_out = bytes;
    return copy;
}
