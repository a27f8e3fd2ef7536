#include "tty.h"

#include <string.h>

#define KEY_ETX       3 /* ^C */
#define KEY_EOT       4 /* ^D */
#define KEY_BELL      7
#define KEY_BACKSPACE 8
#define KEY_KILL      21 /* ^U */
#define KEY_WORD      23 /* ^W */
#define KEY_DELETE    127

/* ---- output ---- */

uint32_t tty_output_room(const struct tty *t)
{
    return TTY_OUTPUT_BYTES - (t->output_head - t->output_tail);
}

static void put(struct tty *t, uint8_t byte)
{
    if (tty_output_room(t) > 0)
        t->output[t->output_head++ % TTY_OUTPUT_BYTES] = byte;
}

static void put_text(struct tty *t, const char *text)
{
    while (*text)
        put(t, (uint8_t)*text++);
}

uint32_t tty_write(struct tty *t, const uint8_t *from, uint32_t count)
{
    bool binary = t->mode & TERMINAL_BINARY;
    uint32_t done = 0;
    for (; done < count && tty_output_room(t) >= 2; done++) {
        if (from[done] == '\n' && !binary)
            put(t, '\r');
        put(t, from[done]);
    }
    return done;
}

uint32_t tty_send(struct tty *t, uint8_t *to, uint32_t count)
{
    uint32_t done = 0;
    while (done < count && t->output_tail != t->output_head)
        to[done++] = t->output[t->output_tail++ % TTY_OUTPUT_BYTES];
    return done;
}

/* ---- finished input ---- */

static uint32_t input_room(const struct tty *t)
{
    return TTY_INPUT_BYTES - (t->input_head - t->input_tail);
}

static bool has_room_for(const struct tty *t, uint32_t bytes)
{
    return input_room(t) >= bytes && t->segment_head - t->segment_tail < TTY_SEGMENTS;
}

static void finish(struct tty *t, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        t->input[t->input_head++ % TTY_INPUT_BYTES] = bytes[i];
    t->segments[t->segment_head++ % TTY_SEGMENTS] = (uint16_t)count;
}

bool tty_readable(const struct tty *t)
{
    return t->segment_head != t->segment_tail;
}

/* Reads of the first segment only. */
static uint32_t read_segment(struct tty *t, uint8_t *to, uint32_t count)
{
    uint16_t *segment = &t->segments[t->segment_tail % TTY_SEGMENTS];
    uint32_t done = 0;
    while (done < count && done < *segment)
        to[done++] = t->input[t->input_tail++ % TTY_INPUT_BYTES];
    *segment = (uint16_t)(*segment - done);
    if (*segment == 0)
        t->segment_tail++;
    return done;
}

static void enter_as_typed(uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (bytes[i] == '\n')
            bytes[i] = '\r';
}

uint32_t tty_read(struct tty *t, uint8_t *to, uint32_t count)
{
    if (!(t->mode & TERMINAL_RAW))
        return read_segment(t, to, count);
    uint32_t done = 0;
    while (done < count && tty_readable(t))
        done += read_segment(t, to + done, count - done);
    if (!(t->mode & TERMINAL_BINARY))
        enter_as_typed(to, done);
    return done;
}

/* ---- typing ---- */

static void echo(struct tty *t, uint8_t byte)
{
    if (t->mode & TERMINAL_NO_ECHO)
        return;
    if (byte == '\n') {
        put_text(t, "\r\n");
    } else if (byte < ' ' && byte != '\t') {
        put(t, '^');
        put(t, (uint8_t)(byte + '@'));
    } else {
        put(t, byte);
    }
}

/* How many columns the byte took when it was echoed; parts of a UTF-8 character after its first take none. */
static uint32_t columns_of(uint8_t byte)
{
    return (byte & 0xc0) == 0x80 ? 0 : byte < ' ' && byte != '\t' ? 2 : 1;
}

static void erase_character(struct tty *t)
{
    uint32_t columns = 0;
    while (t->line_bytes > 0 && columns == 0)
        columns = columns_of(t->line[--t->line_bytes]);
    while (columns-- > 0 && !(t->mode & TERMINAL_NO_ECHO))
        put_text(t, "\b \b");
}

static void erase_word(struct tty *t)
{
    while (t->line_bytes > 0 && t->line[t->line_bytes - 1] == ' ')
        erase_character(t);
    while (t->line_bytes > 0 && t->line[t->line_bytes - 1] != ' ')
        erase_character(t);
}

static void interrupt(struct tty *t)
{
    echo(t, KEY_ETX);
    echo(t, '\n');
    t->line_bytes = 0;
    t->input_tail = t->input_head;
    t->segment_tail = t->segment_head;
}

static void end_line(struct tty *t)
{
    finish(t, t->line, t->line_bytes);
    t->line_bytes = 0;
}

/* One key in line mode; false if a reader has to make room first. */
static bool type_line_key(struct tty *t, uint8_t byte, uint32_t *events)
{
    byte = byte == '\r' ? '\n' : byte;
    if ((byte == '\n' || byte == KEY_EOT) && !has_room_for(t, t->line_bytes + 1))
        return false;
    if (byte == KEY_ETX) {
        interrupt(t);
        *events |= TTY_INTERRUPT;
    } else if (byte == KEY_BACKSPACE || byte == KEY_DELETE) {
        erase_character(t);
    } else if (byte == KEY_KILL) {
        while (t->line_bytes > 0)
            erase_character(t);
    } else if (byte == KEY_WORD) {
        erase_word(t);
    } else if (byte == KEY_EOT) {
        end_line(t);
    } else if (byte != '\n' && t->line_bytes >= TTY_LINE_BYTES - 1) {
        put(t, KEY_BELL);
    } else if (byte != 0) {
        t->line[t->line_bytes++] = byte;
        echo(t, byte);
        if (byte == '\n')
            end_line(t);
    }
    return true;
}

static uint32_t type_raw(struct tty *t, const uint8_t *bytes, uint32_t count)
{
    uint32_t room = input_room(t);
    count = count < room ? count : room;
    if (count == 0 || !has_room_for(t, count))
        return 0;
    finish(t, bytes, count);
    return count;
}

uint32_t tty_type(struct tty *t, const uint8_t *bytes, uint32_t count, uint32_t *events_out)
{
    uint32_t done = 0;
    *events_out = 0;
    if (t->mode & TERMINAL_RAW)
        return type_raw(t, bytes, count);
    while (done < count && type_line_key(t, bytes[done], events_out))
        done++;
    return done;
}

/* What was typed ahead while the terminal was raw is typed again, now that lines are made of it. */
static void type_again(struct tty *t, uint32_t *events)
{
    uint8_t bytes[TTY_INPUT_BYTES];
    uint32_t count = 0;
    while (t->input_tail != t->input_head)
        bytes[count++] = t->input[t->input_tail++ % TTY_INPUT_BYTES];
    t->segment_tail = t->segment_head;
    for (uint32_t i = 0; i < count; i++)
        type_line_key(t, bytes[i], events);
}

void tty_set_mode(struct tty *t, uint32_t mode, uint32_t *events_out)
{
    bool was_raw = t->mode & TERMINAL_RAW, raw = mode & TERMINAL_RAW;
    *events_out = 0;
    if (raw && !was_raw && t->line_bytes > 0 && has_room_for(t, t->line_bytes))
        end_line(t);
    t->mode = mode;
    if (was_raw && !raw)
        type_again(t, events_out);
}
