/* What the loader takes for a cluster key in the firmware. Pure; also built for the host tests. */
#pragma once

#include <abi/types.h>

#define KEY_VARIABLE_BYTES 32u

/* Attributes of UEFI variables. Without RUNTIME nothing can read it or replace it after the loader. */
#define KEY_VARIABLE_KEPT       1u
#define KEY_VARIABLE_BOOT       2u
#define KEY_VARIABLE_RUNTIME    4u
#define KEY_VARIABLE_ATTRIBUTES (KEY_VARIABLE_KEPT | KEY_VARIABLE_BOOT)

/* What is wrong with a variable of these attributes and this size; NULL: it holds a key. */
const char *key_variable_fault(uint32_t attributes, uint64_t bytes);

enum key_wish { KEY_AS_IT_IS, KEY_STORE, KEY_FORGET };
/* What `key_store` in the configuration asks for. Text that is no configuration asks for nothing: the kernel says what
 * is wrong with it. Not reentrant. */
enum key_wish key_wish(const void *config, uint64_t bytes);
