#include <base/drbg.h>
#include <base/mem.h>

static inline uint32_t rotate(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static void quarter(uint32_t s[16], int a, int b, int c, int d)
{
    s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 7);
}

static void double_round(uint32_t s[16])
{
    quarter(s, 0, 4, 8, 12);
    quarter(s, 1, 5, 9, 13);
    quarter(s, 2, 6, 10, 14);
    quarter(s, 3, 7, 11, 15);
    quarter(s, 0, 5, 10, 15);
    quarter(s, 1, 6, 11, 12);
    quarter(s, 2, 7, 8, 13);
    quarter(s, 3, 4, 9, 14);
}

void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3], uint8_t out[64])
{
    uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}, s[16];
    memcpy(start + 4, key, 32);
    start[12] = counter;
    memcpy(start + 13, nonce, 12);
    memcpy(s, start, sizeof s);
    for (int i = 0; i < 10; i++)
        double_round(s);
    for (int i = 0; i < 16; i++) {
        uint32_t v = s[i] + start[i];
        out[4 * i] = (uint8_t)v, out[4 * i + 1] = (uint8_t)(v >> 8);
        out[4 * i + 2] = (uint8_t)(v >> 16), out[4 * i + 3] = (uint8_t)(v >> 24);
    }
}

void drbg_init(struct drbg *g, const uint8_t key[32])
{
    memcpy(g->key, key, sizeof g->key);
}

void drbg_bytes(struct drbg *g, void *to, size_t bytes)
{
    static const uint32_t nonce[3];
    uint8_t block[64], *p = to;
    uint32_t old[8];
    memcpy(old, g->key, sizeof old);
    chacha20_block(old, 0, nonce, block); /* block 0 is the next key and nothing else */
    memcpy(g->key, block, sizeof g->key);
    for (uint32_t counter = 1; bytes > 0; counter++) {
        size_t n = bytes < sizeof block ? bytes : sizeof block;
        chacha20_block(old, counter, nonce, block);
        memcpy(p, block, n);
        p += n;
        bytes -= n;
    }
    memset(old, 0, sizeof old);
    memset(block, 0, sizeof block);
}
