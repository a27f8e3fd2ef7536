/* The line discipline: lines with echo and erase, raw bytes, the end of input, what a full terminal does. */
#include <console/tty.h>
#include <test/check.h>

static struct tty t;
static uint32_t events;

static void set_up(void)
{
    memset(&t, 0, sizeof t);
}

static void type(const char *keys)
{
    CHECK_EQUAL(tty_type(&t, (const uint8_t *)keys, (uint32_t)strlen(keys), &events), strlen(keys));
}

static void mode(uint32_t m)
{
    tty_set_mode(&t, m, &events);
}

static void expect_read(const char *text)
{
    uint8_t bytes[5000];
    CHECK(tty_readable(&t));
    uint32_t n = tty_read(&t, bytes, sizeof bytes - 1);
    bytes[n] = 0;
    CHECK_STRING((char *)bytes, text);
}

static void expect_sent(const char *text)
{
    uint8_t bytes[TTY_OUTPUT_BYTES + 1];
    uint32_t n = tty_send(&t, bytes, TTY_OUTPUT_BYTES);
    bytes[n] = 0;
    CHECK_STRING((char *)bytes, text);
}

static void test_lines(void)
{
    set_up();
    type("ab");
    CHECK(!tty_readable(&t));
    type("c\rnext\n");
    expect_sent("abc\r\nnext\r\n");
    expect_read("abc\n");
    expect_read("next\n");
    CHECK(!tty_readable(&t));
}

static void test_erase(void)
{
    set_up();
    type("ax\x7f"
         "b\b\b\b\b"
         "c\xc3\xa9\x7f"
         "d e f\x17g\x15h\r");
    expect_read("h\n");
    set_up();
    type("a\xc3\xa9\x7f");
    expect_sent("a\xc3\xa9\b \b");
    type("\x1b\x7f\r");
    expect_sent("^[\b \b\b \b\r\n");
    expect_read("a\n");
}

static void test_end_of_input(void)
{
    set_up();
    type("\x04");
    expect_read("");
    type("part\x04");
    expect_read("part");
    CHECK(!tty_readable(&t));
}

static void test_interrupt(void)
{
    set_up();
    type("lost\rhalf\x03");
    CHECK_EQUAL(events, TTY_INTERRUPT);
    CHECK(!tty_readable(&t));
    type("new\r");
    CHECK_EQUAL(events, 0);
    expect_read("new\n");
}

static void test_raw(void)
{
    set_up();
    mode(TERMINAL_RAW | TERMINAL_NO_ECHO);
    type("a\x03\x04\n");
    CHECK_EQUAL(events, 0);
    expect_sent("");
    expect_read("a\x03\x04\r"); /* a line feed is the Enter key */
    mode(TERMINAL_RAW | TERMINAL_NO_ECHO | TERMINAL_BINARY);
    type("x\n\r");
    expect_read("x\n\r");
    CHECK_EQUAL(tty_write(&t, (const uint8_t *)"a\n", 2), 2);
    expect_sent("a\n");
}

static void test_typed_ahead(void)
{
    set_up();
    type("line\rpart");
    mode(TERMINAL_RAW);
    expect_read("line\rpart");
    type("raw\rx\x03y\rz");
    mode(0);
    CHECK_EQUAL(events, TTY_INTERRUPT);
    expect_read("y\n");
    type("\r");
    expect_read("z\n");
}

static void test_no_echo(void)
{
    set_up();
    mode(TERMINAL_NO_ECHO);
    type("secret\x7f\r");
    expect_sent("");
    expect_read("secre\n");
}

static void test_output(void)
{
    static uint8_t lines[TTY_OUTPUT_BYTES];
    set_up();
    memset(lines, '\n', sizeof lines);
    CHECK_EQUAL(tty_write(&t, lines, sizeof lines), TTY_OUTPUT_BYTES / 2); /* each takes two */
    CHECK(tty_output_room(&t) < 2);
    CHECK_EQUAL(tty_write(&t, lines, 1), 0);
    uint8_t two[2];
    CHECK_EQUAL(tty_send(&t, two, 2), 2);
    CHECK(two[0] == '\r' && two[1] == '\n');
    CHECK_EQUAL(tty_write(&t, lines, 5), 1);
}

static void test_full_input_waits_for_a_reader(void)
{
    set_up();
    uint32_t taken = 0;
    while (tty_type(&t, (const uint8_t *)"0123456\n", 8, &events) == 8)
        taken += 8;
    CHECK(taken >= 256 * 8 && taken <= TTY_INPUT_BYTES);
    expect_read("0123456\n");
    CHECK_EQUAL(tty_type(&t, (const uint8_t *)"\n", 1, &events), 1);
    char bell = 0;
    set_up();
    for (int i = 0; i < 2000; i++)
        type("x");
    while (tty_send(&t, (uint8_t *)&bell, 1))
        ;
    CHECK_EQUAL(bell, 7);
    type("\r");
    uint8_t line[2000];
    CHECK_EQUAL(tty_read(&t, line, sizeof line), TTY_LINE_BYTES);
}

static void test_short_reads(void)
{
    set_up();
    type("abcdef\rgh\r");
    uint8_t bytes[4];
    CHECK_EQUAL(tty_read(&t, bytes, 4), 4);
    CHECK_EQUAL(tty_read(&t, bytes, 4), 3);
    CHECK(memcmp(bytes, "ef\n", 3) == 0);
    CHECK_EQUAL(tty_read(&t, bytes, 4), 3);
}

/* Any keys in any mode: what can be read never exceeds what was typed, and the sanitizers watch. */
static void test_random_keys(void)
{
    uint64_t state = 7;
    set_up();
    for (int round = 0; round < 200000; round++) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        uint8_t keys[16], to[64];
        for (unsigned i = 0; i < sizeof keys; i++)
            keys[i] = (uint8_t)(state >> (i * 3) & 0x7f) % 32;
        if (state >> 60 == 0)
            mode((uint32_t)(state >> 40) & 7);
        else if (state >> 62)
            tty_type(&t, keys, sizeof keys, &events);
        else if (tty_readable(&t))
            tty_read(&t, to, sizeof to);
        tty_send(&t, to, sizeof to);
        CHECK(t.input_head - t.input_tail <= TTY_INPUT_BYTES);
        CHECK(t.segment_head - t.segment_tail <= TTY_SEGMENTS);
        CHECK(t.line_bytes <= TTY_LINE_BYTES);
    }
}

int main(void)
{
    RUN(test_lines);
    RUN(test_erase);
    RUN(test_end_of_input);
    RUN(test_interrupt);
    RUN(test_raw);
    RUN(test_typed_ahead);
    RUN(test_no_echo);
    RUN(test_output);
    RUN(test_full_input_waits_for_a_reader);
    RUN(test_short_reads);
    RUN(test_random_keys);
    return 0;
}
