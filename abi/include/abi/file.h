/* Numbers of the names and file services. */
#pragma once

#include <abi/types.h>

enum file_kind {
    FILE_REGULAR = 1,
    FILE_DIRECTORY = 2,
    FILE_TERMINAL = 3,
    FILE_PIPE = 4,
    FILE_ENDPOINT = 5,
    FILE_SOCKET = 6
};

enum open_flags {
    OPEN_READ = 1,
    OPEN_WRITE = 2,
    OPEN_CREATE = 4,
    OPEN_EXCLUSIVE = 8,
    OPEN_TRUNCATE = 16,
    OPEN_APPEND = 32,
    OPEN_DIRECTORY = 64
};

#define FILE_OFFSET_OWN UINT64_MAX
/* RAW: no line editing, no ^C; a line feed that arrives is delivered as what the Enter key sends, a carriage return.
 * BINARY (with RAW): every byte passes unchanged, in both directions. */
enum { TERMINAL_RAW = 1, TERMINAL_NO_ECHO = 2, TERMINAL_BINARY = 4 };
enum { POLL_READABLE = 1, POLL_WRITABLE = 2, POLL_HANGUP = 4 };
