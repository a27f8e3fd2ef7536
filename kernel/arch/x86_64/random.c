/* Entropy: the loader's or runner's seed and the processor's generator, mixed, feed one generator for the kernel. */
#include <base/drbg.h>
#include <base/mem.h>
#include <base/sha256.h>
#include <kernel/arch.h>
#include <kernel/boot.h>
#include <kernel/bundle.h>
#include <kernel/debug.h>

#include "cpu.h"
#include "features.h"
#include "random.h"

#define WORDS   8
#define RETRIES 10

static struct drbg generator;
static bool ready;

/* A processor whose generator is broken returns the same or nothing over and over. */
static bool hardware_words(uint64_t words[WORDS])
{
    bool differ = false;
    for (uint32_t i = 0; i < WORDS; i++) {
        uint8_t ok = 0;
        for (uint32_t n = 0; !ok && n < RETRIES; n++)
            __asm__ volatile("rdrand %0; setc %1" : "=r"(words[i]), "=qm"(ok)::"cc");
        if (!ok)
            return false;
        differ = differ || words[i] != words[0];
    }
    return differ;
}

void random_init(void)
{
    struct boot_info *info = boot_info_edit();
    uint64_t words[WORDS] = {0}, tsc = rdtsc();
    uint8_t key[SHA256_BYTES];
    struct sha256 mix;
    bool hardware = features.rdrand && hardware_words(words);
    sha256_begin(&mix);
    sha256_add(&mix, info->seed, sizeof info->seed);
    sha256_add(&mix, words, sizeof words);
    sha256_add(&mix, info->uuid, sizeof info->uuid);
    sha256_add(&mix, &tsc, sizeof tsc);
    sha256_end(&mix, key);
    drbg_init(&generator, key);
    ready = info->has_seed || hardware;
    memset(info->seed, 0, sizeof info->seed);
    memset(key, 0, sizeof key);
    if (!ready)
        klog("random: this machine has no source of entropy; there will be no links to other nodes");
}

/* What the processor gives is mixed in each time: a machine that was saved and goes on twice draws different secrets.
 */
static void stir(void)
{
    uint64_t words[WORDS];
    uint8_t key[SHA256_BYTES];
    struct sha256 mix;
    if (!features.rdrand || !hardware_words(words))
        return;
    drbg_bytes(&generator, key, sizeof key);
    sha256_begin(&mix);
    sha256_add(&mix, key, sizeof key);
    sha256_add(&mix, words, sizeof words);
    sha256_end(&mix, key);
    drbg_init(&generator, key);
    memset(words, 0, sizeof words);
    memset(key, 0, sizeof key);
}

bool arch_random(void *to, size_t bytes)
{
    if (!ready)
        return false;
    stir();
    drbg_bytes(&generator, to, bytes);
    return true;
}
