/* From the door to the first process: what the kernel was given, and how it refuses to go on. */
#pragma once

#include <abi/boot_info.h>

#define BOOT_CONFIG_MAX 16384u

/* Ends the boot: says what is wrong and what to do about it, on serial and screen, and stays there (or leaves the
 * emulator if the configuration says panic = exit). */
__attribute__((noreturn)) void boot_stop(const char *what, const char *remedy);

/* The door's structure, copied; its secrets are wiped where they lay. */
void boot_info_take(struct boot_info *from);
struct boot_info *boot_info_edit(void); /* for the doors, and to wipe the key when it is taken */

/* The configuration's text: shoal.conf and then what the door appends. */
const char *boot_config_text(uint64_t *bytes_out);
bool boot_config_append(const char *text, uint64_t bytes); /* false: too long */
void boot_config_init(void);

/* Fills in panic_base if the door did not. */
void boot_panic_memory(struct boot_info *info);

/* Checks the whole bundle; a damaged one stops the boot. */
void boot_bundle_init(void);

/* The kernel's main function, on the boot CPU's boot stack, boot_info filled. */
_Noreturn void kernel_main(void);
