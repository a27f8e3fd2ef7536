/* The console server: terminals over serial lines. Two threads a line talk to its driver, so that the server itself
 * never waits for one; they and the server share a struct line under its lock. */
#pragma once

#include "tty.h"

#include <idl/file.h>
#include <os/serve.h>
#include <os/sync.h>

#define LINES       2u
#define WAITERS_MAX 32u /* a terminal */
#define BIT_LINE(n) (1ull << (n))
#define BIT_LOG     (1ull << 8)

struct line {
    uint32_t number; /* 0: COM1 */
    struct os_mutex lock;
    struct os_cond typed_taken; /* a reader made room in the input */
    struct os_cond written;     /* there is something to send */
    struct tty tty;
    uint32_t events; /* enum tty_event, not yet told */
};

enum waiter_op { WAITER_NONE = 0, WAITER_READ, WAITER_READ_BULK, WAITER_WRITE, WAITER_WRITE_BULK };

struct waiter {
    uint8_t op;
    uint32_t count;
    handle_t reply;
    uint64_t order;
    uint8_t data[FILE_WRITE_DATA_MAX]; /* WAITER_WRITE */
};

struct poll {
    handle_t notification; /* HANDLE_NONE: free */
    uint32_t events;
    uint64_t bits, serial;
};

struct terminal {
    struct line line;
    handle_t owner; /* who is told of ^C */
    bool in_use;    /* a program has read from it: the kernel log is no longer shown */
    struct waiter waiters[WAITERS_MAX];
    struct poll polls[WAITERS_MAX];
};

struct console {
    handle_t endpoint, notification;
    uint64_t order, log_position;
    struct terminal terminals[LINES];
};

extern struct console console;

/* The file service on the terminals; the badge is the terminal's number + 1. */
extern const struct file_server terminal_handlers;
/* The line has moved: answers who can be answered, tells who asked to be told. */
void terminal_advance(struct terminal *t);
void terminals_drop_cancelled(void);

/* line.c: starts the threads of a line. */
err_t line_start(struct line *line, uint32_t number);

/* log.c: shows the kernel's log on the first terminal until a program reads from it. */
void log_start(void);
void log_show(void);
