/* A terminal's line discipline: what is typed becomes lines (with echo and erase) or raw bytes; what is written becomes
 * what the line needs. Pure: two byte queues and the rules between them. The caller locks. */
#pragma once

#include <abi/file.h>

#define TTY_INPUT_BYTES  4096u
#define TTY_OUTPUT_BYTES 16384u
#define TTY_LINE_BYTES   1024u
#define TTY_SEGMENTS     256u

enum tty_event { TTY_INTERRUPT = 1 };

struct tty {
    uint32_t mode; /* TERMINAL_* */
    /* Finished input: bytes, and how they are cut into lines. A segment of length 0 is an end of file (^D). */
    uint32_t input_head, input_tail;
    uint8_t input[TTY_INPUT_BYTES];
    uint32_t segment_head, segment_tail;
    uint16_t segments[TTY_SEGMENTS];
    uint32_t line_bytes; /* the line being typed */
    uint8_t line[TTY_LINE_BYTES];
    uint32_t output_head, output_tail;
    uint8_t output[TTY_OUTPUT_BYTES];
};

/* Takes what was typed. Returns how many bytes were taken: less than count when a reader has to make room first. */
uint32_t tty_type(struct tty *t, const uint8_t *bytes, uint32_t count, uint32_t *events_out);

bool tty_readable(const struct tty *t);
/* At most one line, or in raw mode whatever is there. 0 is the end of file. Only when tty_readable. */
uint32_t tty_read(struct tty *t, uint8_t *to, uint32_t count);

/* Takes what a program writes, as much as fits. */
uint32_t tty_write(struct tty *t, const uint8_t *from, uint32_t count);
uint32_t tty_output_room(const struct tty *t);
/* What the line shall send next. */
uint32_t tty_send(struct tty *t, uint8_t *to, uint32_t count);

/* When raw mode begins, the line being typed becomes readable as it is; when it ends, lines are made of what was typed
 * ahead (which can be ^C: *events_out). */
void tty_set_mode(struct tty *t, uint32_t mode, uint32_t *events_out);
