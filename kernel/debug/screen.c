/* Text on the framebuffer. It is never read back (that is slow): the characters are kept here, and at the bottom half a
 * screen is drawn again, so that a line costs little on average. */
#include <base/mem.h>
#include <kernel/arch.h>
#include <kernel/console.h>
#include <kernel/mm.h>

#include "font.h"

#define COLUMNS_MAX 256u
#define LINES_MAX   128u
#define WIDE_SCREEN 1000u /* from this width on letters are twice as large */
#define INK         0x00c8d0d8u
#define PAPER       0x00101820u

static struct {
    volatile uint8_t *pixels; /* NULL: no screen */
    uint32_t stride, scale, columns, lines;
    uint32_t column, line;
    char text[LINES_MAX][COLUMNS_MAX];
} screen;

static uint32_t cell_width(void)
{
    return (FONT_WIDTH + 1) * screen.scale;
}
static uint32_t cell_height(void)
{
    return (FONT_HEIGHT + 1) * screen.scale;
}

static void draw_row(volatile uint32_t *to, uint8_t bits)
{
    for (uint32_t x = 0; x < cell_width(); x++)
        to[x] = x / screen.scale < FONT_WIDTH && (bits >> (FONT_WIDTH - 1 - x / screen.scale) & 1) ? INK : PAPER;
}

static void draw(uint32_t line, uint32_t column)
{
    uint8_t c = (uint8_t)screen.text[line][column];
    const uint8_t *rows = font_rows[c >= FONT_FIRST && c < FONT_FIRST + FONT_GLYPHS ? c - FONT_FIRST : 0];
    volatile uint8_t *at = screen.pixels + (uint64_t)line * cell_height() * screen.stride + column * cell_width() * 4;
    for (uint32_t y = 0; y < cell_height(); y++, at += screen.stride)
        draw_row((volatile uint32_t *)at, y / screen.scale < FONT_HEIGHT ? rows[y / screen.scale] : 0);
}

static void draw_all(void)
{
    for (uint32_t line = 0; line < screen.lines; line++)
        for (uint32_t column = 0; column < screen.columns; column++)
            draw(line, column);
}

static void next_line(void)
{
    screen.column = 0;
    if (++screen.line < screen.lines)
        return;
    uint32_t gone = screen.lines / 2;
    memmove(screen.text[0], screen.text[gone], (screen.lines - gone) * COLUMNS_MAX);
    memset(screen.text[screen.lines - gone], ' ', gone * COLUMNS_MAX);
    screen.line = screen.lines - gone;
    draw_all();
}

void console_screen_write(const char *text, size_t length)
{
    for (size_t i = 0; screen.pixels && i < length; i++) {
        if (text[i] == '\n') {
            next_line();
            continue;
        }
        if (screen.column == screen.columns)
            next_line();
        screen.text[screen.line][screen.column] = text[i];
        draw(screen.line, screen.column++);
    }
}

static uint32_t at_most(uint32_t value, uint32_t limit)
{
    return value < limit ? value : limit;
}

void console_screen_init(const struct boot_info *info)
{
    uint32_t width = info->framebuffer.width, height = info->framebuffer.height;
    if (!info->framebuffer.base || width < 100 || height < 100 || width > 16384 || height > 16384 ||
        info->framebuffer.stride_bytes < width * 4)
        return;
    screen.stride = info->framebuffer.stride_bytes;
    screen.scale = width >= WIDE_SCREEN ? 2 : 1;
    screen.columns = at_most(width / cell_width(), COLUMNS_MAX);
    screen.lines = at_most(height / cell_height(), LINES_MAX);
    memset(screen.text, ' ', sizeof screen.text);
    screen.pixels = kmap_framebuffer(info->framebuffer.base, (uint64_t)screen.stride * height);
    draw_all();
}
