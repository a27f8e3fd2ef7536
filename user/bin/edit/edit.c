/* edit FILE: a small screen editor. Arrow keys, Home, End, Page Up and Down move; ^S saves, ^K cuts a line, ^Q leaves.
 */
#include "buffer.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum key {
    KEY_UP = 256,
    KEY_DOWN,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_HOME,
    KEY_END,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_DELETE,
    KEY_NONE
};
#define CONTROL(c) ((c)&0x1f)

struct editor {
    struct buffer text;
    const char *path;
    size_t line, column; /* the cursor, in the text */
    size_t top, left;    /* the text's place at the screen's upper left corner */
    size_t rows, columns;
    char message[160];
    bool leaving; /* ^Q was pressed once with unsaved text */
};

static struct termios saved_terminal;

static void restore_terminal(void)
{
    tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal);
}

static bool raw_terminal(void)
{
    if (tcgetattr(STDIN_FILENO, &saved_terminal) != 0)
        return false;
    struct termios raw = saved_terminal;
    raw.c_iflag &= ~(tcflag_t)(ICRNL | IXON);
    raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0)
        return false;
    atexit(restore_terminal);
    return true;
}

static int read_byte(void)
{
    unsigned char c;
    return read(STDIN_FILENO, &c, 1) == 1 ? c : -1;
}

/* The rest of an escape sequence: ESC [ letter, ESC O letter, or ESC [ number ~ */
static int read_escape(void)
{
    int c = read_byte();
    if (c != '[' && c != 'O')
        return KEY_NONE;
    c = read_byte();
    int number = 0;
    for (; c >= '0' && c <= '9' && number < 100; c = read_byte())
        number = 10 * number + c - '0';
    if (c == '~') {
        switch (number) {
        case 1:
        case 7:
            return KEY_HOME;
        case 3:
            return KEY_DELETE;
        case 4:
        case 8:
            return KEY_END;
        case 5:
            return KEY_PAGE_UP;
        case 6:
            return KEY_PAGE_DOWN;
        default:
            return KEY_NONE;
        }
    }
    switch (c) {
    case 'A':
        return KEY_UP;
    case 'B':
        return KEY_DOWN;
    case 'C':
        return KEY_RIGHT;
    case 'D':
        return KEY_LEFT;
    case 'H':
        return KEY_HOME;
    case 'F':
        return KEY_END;
    default:
        return KEY_NONE;
    }
}

static int read_key(void)
{
    int c = read_byte();
    return c == 27 ? read_escape() : c;
}

static void say(struct editor *e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(e->message, sizeof e->message, format, args);
    va_end(args);
}

static void measure_screen(struct editor *e)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 3 && size.ws_col > 10;
    e->rows = known ? size.ws_row - 2u : 22;
    e->columns = known ? size.ws_col : 80;
}

static void draw_line(const struct editor *e, const struct line *l)
{
    for (size_t c = e->left; c < l->length && c < e->left + e->columns; c++) {
        unsigned char ch = (unsigned char)l->text[c];
        putchar(ch == '\t' ? ' ' : ch < 32 || ch == 127 ? '?' : ch);
    }
}

static void draw(struct editor *e)
{
    e->top = e->line < e->top ? e->line : e->line >= e->top + e->rows ? e->line - e->rows + 1 : e->top;
    e->left = e->column < e->left                 ? e->column
              : e->column >= e->left + e->columns ? e->column - e->columns + 1
                                                  : e->left;
    fputs("\x1b[?25l\x1b[H", stdout);
    for (size_t row = 0; row < e->rows; row++) {
        if (e->top + row < e->text.count)
            draw_line(e, &e->text.lines[e->top + row]);
        else
            putchar('~');
        fputs("\x1b[K\r\n", stdout);
    }
    printf("\x1b[7m %s%s  line %zu of %zu \x1b[0m\x1b[K\r\n", e->path, e->text.changed ? " (changed)" : "", e->line + 1,
           e->text.count);
    printf("%s\x1b[K", e->message[0] ? e->message : "^S save  ^Q leave  ^K cut line");
    printf("\x1b[%zu;%zuH\x1b[?25h", e->line - e->top + 1, e->column - e->left + 1);
    fflush(stdout);
}

static void clamp_column(struct editor *e)
{
    if (e->column > e->text.lines[e->line].length)
        e->column = e->text.lines[e->line].length;
}

static void move_lines(struct editor *e, size_t count, bool down)
{
    if (down)
        e->line = count < e->text.count - e->line ? e->line + count : e->text.count - 1;
    else
        e->line = count < e->line ? e->line - count : 0;
    clamp_column(e);
}

static void move_left(struct editor *e)
{
    if (e->column > 0) {
        e->column--;
    } else if (e->line > 0) {
        e->line--;
        e->column = e->text.lines[e->line].length;
    }
}

static void move_right(struct editor *e)
{
    if (e->column < e->text.lines[e->line].length) {
        e->column++;
    } else if (e->line + 1 < e->text.count) {
        e->line++;
        e->column = 0;
    }
}

static bool erase(struct editor *e)
{
    if (e->column < e->text.lines[e->line].length) {
        buffer_erase(&e->text, e->line, e->column);
        return true;
    }
    return e->line + 1 >= e->text.count || buffer_join(&e->text, e->line);
}

static bool insert(struct editor *e, int key)
{
    if (key == '\r' || key == '\n') {
        if (!buffer_split(&e->text, e->line, e->column))
            return false;
        e->line++;
        e->column = 0;
        return true;
    }
    if (key != '\t' && (key < 32 || key > 255 || key == 127))
        return true;
    if (!buffer_insert(&e->text, e->line, e->column, (char)key))
        return false;
    e->column++;
    return true;
}

static void save(struct editor *e)
{
    int error = buffer_save(&e->text, e->path);
    if (error)
        say(e, "not saved: %s: %s", e->path, strerror(error));
    else
        say(e, "saved %s, %zu lines", e->path, e->text.count);
}

/* True when it is time to leave. */
static bool leave(struct editor *e)
{
    if (!e->text.changed || e->leaving)
        return true;
    e->leaving = true;
    say(e, "not saved: ^S saves, ^Q again leaves without");
    return false;
}

static bool handle_edit(struct editor *e, int key)
{
    switch (key) {
    case KEY_DELETE:
        return erase(e);
    case CONTROL('h'):
    case 127:
        if (e->line == 0 && e->column == 0)
            return true;
        move_left(e);
        return erase(e);
    case CONTROL('k'):
        buffer_cut_line(&e->text, e->line);
        if (e->line >= e->text.count)
            e->line = e->text.count - 1;
        clamp_column(e);
        return true;
    default:
        return insert(e, key);
    }
}

/* False when it is time to leave. */
static bool handle(struct editor *e, int key)
{
    bool was_leaving = e->leaving;
    e->leaving = false;
    e->message[0] = 0;
    switch (key) {
    case -1:
        return false;
    case CONTROL('q'):
        e->leaving = was_leaving;
        return !leave(e);
    case CONTROL('s'):
        save(e);
        break;
    case KEY_UP:
        move_lines(e, 1, false);
        break;
    case KEY_DOWN:
        move_lines(e, 1, true);
        break;
    case KEY_PAGE_UP:
        move_lines(e, e->rows, false);
        break;
    case KEY_PAGE_DOWN:
        move_lines(e, e->rows, true);
        break;
    case KEY_LEFT:
        move_left(e);
        break;
    case KEY_RIGHT:
        move_right(e);
        break;
    case KEY_HOME:
    case CONTROL('a'):
        e->column = 0;
        break;
    case KEY_END:
    case CONTROL('e'):
        e->column = e->text.lines[e->line].length;
        break;
    case KEY_NONE:
        break;
    default:
        if (!handle_edit(e, key))
            say(e, "out of memory: nothing was changed");
    }
    return true;
}

int main(int argc, char **argv)
{
    struct editor e = {0};
    if (argc != 2) {
        fprintf(stderr, "edit: one file is expected; usage: edit FILE\n");
        return 2;
    }
    e.path = argv[1];
    int error = buffer_init(&e.text) ? buffer_load(&e.text, e.path) : ENOMEM;
    if (error == ENOENT) {
        say(&e, "a new file");
    } else if (error) {
        fprintf(stderr, "edit: %s: %s\n", e.path, strerror(error));
        return 1;
    }
    if (!raw_terminal()) {
        fprintf(stderr, "edit: standard input is not a terminal; use cat > FILE instead\n");
        return 1;
    }
    measure_screen(&e);
    fputs("\x1b[2J", stdout);
    do
        draw(&e);
    while (handle(&e, read_key()));
    printf("\x1b[%zu;1H\x1b[K", e.rows + 2);
    fflush(stdout);
    buffer_free(&e.text);
    return 0;
}
