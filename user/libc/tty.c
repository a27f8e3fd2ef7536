/* Terminals. */
#include <errno.h>
#include <fcntl.h>
#include <idl/file.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "libc.h"

static err_t terminal_of(int fd, uint32_t *mode, uint32_t *columns, uint32_t *rows)
{
    struct open_file *file = file_of(fd);
    if (!file)
        return E_BAD_HANDLE;
    err_t err = file_terminal_get(file->handle, DEADLINE_NEVER, mode, columns, rows);
    file_release(file);
    return err == E_BAD_SYSCALL ? E_NOT_SUPPORTED : err;
}

static int terminal_result(err_t err)
{
    if (err != E_NOT_SUPPORTED)
        return libc_result(err);
    errno = ENOTTY;
    return -1;
}

int isatty(int fd)
{
    return terminal_result(terminal_of(fd, NULL, NULL, NULL)) == 0;
}

char *ttyname(int fd)
{
    return isatty(fd) ? "/dev/tty" : NULL;
}

int tcgetattr(int fd, struct termios *settings)
{
    uint32_t mode;
    int result = terminal_result(terminal_of(fd, &mode, NULL, NULL));
    if (result)
        return result;
    memset(settings, 0, sizeof *settings);
    settings->c_iflag = mode & TERMINAL_RAW ? 0 : ICRNL | BRKINT;
    settings->c_oflag = OPOST | ONLCR;
    settings->c_cflag = CS8 | CREAD | CLOCAL;
    settings->c_lflag =
        (mode & TERMINAL_RAW ? 0 : ICANON | ISIG | IEXTEN) | (mode & TERMINAL_NO_ECHO ? 0 : ECHO | ECHOE | ECHOK);
    settings->c_cc[VINTR] = 3;
    settings->c_cc[VEOF] = 4;
    settings->c_cc[VERASE] = 127;
    settings->c_cc[VKILL] = 21;
    settings->c_cc[VMIN] = 1;
    settings->c_ispeed = settings->c_ospeed = B115200;
    return 0;
}

int tcsetattr(int fd, int when, const struct termios *settings)
{
    uint32_t mode = (settings->c_lflag & ICANON ? 0 : TERMINAL_RAW) | (settings->c_lflag & ECHO ? 0 : TERMINAL_NO_ECHO);
    struct open_file *file = file_of(fd);
    if (!file)
        return -1;
    err_t err = file_terminal_set(file->handle, DEADLINE_NEVER, mode);
    file_release(file);
    return terminal_result(err == E_BAD_SYSCALL ? E_NOT_SUPPORTED : err);
}

/* Output is with the terminal as soon as write returns; typed-ahead input stays. */
int tcflush(int fd, int queue)
{
    return isatty(fd) ? 0 : -1;
}

int tcdrain(int fd)
{
    return isatty(fd) ? 0 : -1;
}

void cfmakeraw(struct termios *settings)
{
    settings->c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    settings->c_oflag &= ~(tcflag_t)OPOST;
    settings->c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    settings->c_cflag = (settings->c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
}

speed_t cfgetispeed(const struct termios *settings)
{
    return settings->c_ispeed;
}

speed_t cfgetospeed(const struct termios *settings)
{
    return settings->c_ospeed;
}

int cfsetispeed(struct termios *settings, speed_t speed)
{
    settings->c_ispeed = speed;
    return 0;
}

int cfsetospeed(struct termios *settings, speed_t speed)
{
    settings->c_ospeed = speed;
    return 0;
}

static int window_size(int fd, struct winsize *size)
{
    uint32_t mode, columns, rows;
    int result = terminal_result(terminal_of(fd, &mode, &columns, &rows));
    if (result == 0)
        *size = (struct winsize){.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    return result;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (request == TIOCGWINSZ)
        return window_size(fd, argument);
    if (request == FIONBIO) {
        int flags = fcntl(fd, F_GETFL, 0);
        return flags < 0 ? -1 : fcntl(fd, F_SETFL, *(int *)argument ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
    }
    errno = EINVAL;
    return -1;
}
