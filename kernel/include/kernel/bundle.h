/* The boot bundle, checked in full once at INIT_EARLY..INIT_MEMORY; a damaged one stops the boot naming the part. */
#pragma once

#include <abi/boot_info.h>
#include <abi/bundle.h>

const struct boot_info *boot_info_get(void);                                     /* the kernel's own copy */
const struct bundle_part *bundle_find(const char *name, const void **bytes_out); /* NULL: not there */
/* Value of a key of shoal.conf, checked at boot; the last line wins. NULL: not given. */
const char *config_get(const char *key);
/* The same of a key that takes numbers. */
int64_t config_get_number(const char *key, int64_t otherwise);
/* True if the test switch is among the words of `restrict`. */
bool config_restricts(const char *what);
/* The n-th key that is set, in the order of the keys' list; false past the last. For handing the configuration on (the
 * supervisor gets it as "key=value" environment strings; tests use it to list everything). */
bool config_next(uint32_t n, const char **key_out, const char **value_out);
/* The bundle's bytes, whole pages: where it lies in memory. */
uint64_t bundle_phys(uint64_t *bytes_out);
