/* Making processes, for those that hold a Budget to make them on: supervisor and process server.
 *
 * os_load makes the Process, maps the program and hands it its startup block; the first thread is there but does not
 * run until os_load_run. Whatever fails, nothing is left behind.
 */
#pragma once

#include <abi/startup.h>

struct load {
    /* The program: an ELF file in a Memory at a page-aligned offset, and the same bytes where this process can read
     * them. */
    handle_t memory;
    uint64_t memory_offset;
    const void *image;
    uint64_t image_bytes;

    handle_t budget;  /* pays for it */
    const char *name; /* shown by ps; at most 31 characters count */
    uint32_t level;
    uint32_t priority; /* of its threads at most, and of the first one */
    uint64_t process_id;
    uint32_t tty_flags;
    uint64_t stack_bytes; /* of the first thread, whole pages; 0: LOAD_STACK_BYTES */

    /* argc strings each ended by 0, one after the other; likewise the environment; the working directory. */
    uint32_t argc, envc;
    const char *arguments, *environment, *directory;
    uint32_t arguments_bytes, environment_bytes;

    /* Startup slots: duplicated into the process with all rights they have here; HANDLE_NONE stays so. The slots
     * PROCESS, THREAD and BUDGET are filled in by os_load. */
    handle_t handles[STARTUP_HANDLES];
    uint32_t fd_mask; /* which descriptors 0..6 are given */
};

struct loaded {
    handle_t process, thread;
    uint64_t entry, stack_high;
};

/* Stacks are paid in full, like all Memory. Programs of others (Lua, say) recurse deeper than our servers do. */
#define LOAD_STACK_BYTES         (256u * 1024u)
#define LOAD_PROGRAM_STACK_BYTES (1024u * 1024u)

/* E_BAD_IMAGE: not a program; *why_out (may be NULL) says why. E_TOO_LONG: arguments and environment together are more
 * than STARTUP_BYTES_MAX. */
err_t os_load(const struct load *load, struct loaded *loaded_out, const char **why_out);

err_t os_load_run(const struct loaded *loaded);
