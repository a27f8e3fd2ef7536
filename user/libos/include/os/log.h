/* Lines for people before, beside and after stdio: to the kernel's log where the process may write it, else to standard
 * error. Never fails, allocates nothing; usable in any thread. */
#pragma once

void os_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says why and where (addresses for the symbol table), then ends the process. For our own bugs only. */
_Noreturn void os_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define OS_ASSERT(condition)                                                                                           \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            os_panic("assertion failed: %s (%s:%d)", #condition, __FILE_NAME__, __LINE__);                             \
    } while (0)

/* Text of an err_t, from abi/errno.def. */
const char *os_error_text(unsigned err);
