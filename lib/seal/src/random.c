#include <seal/random.h>

#include <string.h>

#include <seal/primitives.h>

void seal_random_begin(struct seal_random *r, const uint8_t seed[32])
{
    memcpy(r->key, seed, 32);
}

/* Each block of key stream gives the next key and then up to 32 bytes. */
void seal_random_bytes(struct seal_random *r, void *to, size_t bytes)
{
    uint8_t block[64 + SEAL_TAG_BYTES];
    for (size_t done = 0; done < bytes;) {
        size_t piece = bytes - done < 32 ? bytes - done : 32;
        memset(block, 0, sizeof(block));
        seal_encrypt(r->key, 0, "", 0, block, 64);
        memcpy(r->key, block, 32);
        memcpy((uint8_t *)to + done, block + 32, piece);
        done += piece;
    }
    seal_wipe(block, sizeof(block));
}
