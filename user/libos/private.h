/* Between the files of libos. */
#pragma once

#include <abi/startup.h>
#include <os/thread.h>

/* Bytes of the program's TLS block and thread block together, and their making at `area` (page aligned, zeroed). */
uint64_t tls_bytes(void);
struct os_thread *tls_make(void *area);

void thread_first(const struct startup *startup);

/* Called by crt0. */
_Noreturn void os_start(const struct startup *startup);
_Noreturn void os_thread_main(struct os_thread *thread);
void os_thread_begin(void);
