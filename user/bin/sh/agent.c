/* The agent: commands for tools over a terminal line, one at a time (docs/001-architecture.md, "Text channels for
 * tools"). The first thread reads the line; each command runs in a shell of its own whose output a second thread
 * carries back. */
#include "shell.h"

#include <abi/file.h>
#include <idl/control.h>
#include <idl/file.h>
#include <idl/names.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/sync.h>
#include <os/syscall.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START        2 /* begins a request */
#define COMMAND_MAX  65536u
#define OUT_MAX      3000u
#define BIT_READABLE 4ull

static struct {
    struct os_mutex write_lock; /* frames are not mixed */
    struct os_mutex lock;       /* guards what follows */
    struct os_cond idle;
    bool running, ended;
    unsigned id;
    struct spawned spawned;
    struct spawn_end end;
    err_t wait_err;
    handle_t output;
    struct os_thread *carrier;
} agent;

static handle_t line_in(void)
{
    return os_startup_handle(STARTUP_STDIN);
}

static void send(const void *bytes, uint32_t count)
{
    const char *at = bytes;
    while (count > 0) {
        uint32_t written = 0;
        if (file_write(os_startup_handle(STARTUP_STDOUT), DEADLINE_NEVER, FILE_OFFSET_OWN, at, count, &written) ||
            written == 0)
            exit(1); /* the terminal is gone; the supervisor starts the agent again */
        at += written;
        count -= written;
    }
}

static void send_frame(const char *head, const void *bytes, uint32_t count)
{
    os_mutex_lock(&agent.write_lock);
    send(head, (uint32_t)strlen(head));
    send(bytes, count);
    os_mutex_unlock(&agent.write_lock);
}

static void send_out(unsigned id, const void *bytes, uint32_t count)
{
    char head[40];
    snprintf(head, sizeof head, "\x02 %u out %u\n", id, (unsigned)count);
    send_frame(head, bytes, count);
}

static void send_exit(unsigned id, unsigned status)
{
    char head[40];
    snprintf(head, sizeof head, "\x02 %u exit %u\n", id, status);
    send_frame(head, NULL, 0);
}

/* ---- a command ---- */

static bool command_ended(void)
{
    os_mutex_lock(&agent.lock);
    bool ended = agent.ended;
    os_mutex_unlock(&agent.lock);
    return ended;
}

/* Until the end of the output: once the command has ended, all that it wrote is in the pipe. What a background program
 * of it still writes later is not waited for. */
static void carry_output(void)
{
    char bytes[OUT_MAX];
    for (;;) {
        uint32_t ready = 0, count = 0;
        uint64_t bits;
        bool ended = command_ended();
        err_t err = file_poll(agent.output, DEADLINE_NEVER, POLL_READABLE, BIT_READABLE, shell.notification, &ready);
        if (!err && !ready && !ended) {
            os_wait(shell.notification, BIT_READABLE | BIT_CHILD, DEADLINE_NEVER, &bits);
            continue;
        }
        if (!err && ready)
            err = file_read(agent.output, DEADLINE_NEVER, FILE_OFFSET_OWN, sizeof bytes, bytes, sizeof bytes, &count);
        if (err || count == 0)
            return;
        send_out(agent.id, bytes, count);
    }
}

static void waiter_thread(void *argument)
{
    err_t err = os_spawn_wait(&agent.spawned, DEADLINE_NEVER, &agent.end);
    os_mutex_lock(&agent.lock);
    agent.wait_err = err;
    agent.ended = true;
    os_mutex_unlock(&agent.lock);
    os_signal(shell.notification, BIT_CHILD);
}

static void carrier_thread(void *argument)
{
    struct os_thread *waiter = NULL;
    char text[96];
    err_t err = os_thread_create(waiter_thread, NULL, 16384, PRIORITY_NORMAL, &waiter);
    if (!err) {
        carry_output();
        os_thread_join(waiter, DEADLINE_NEVER);
    }
    err = err ? err : agent.wait_err;
    os_spawn_end_text(&agent.end, text, sizeof text);
    if (!err && text[0]) {
        strcat(text, "\n");
        send_out(agent.id, text, (uint32_t)strlen(text));
    }
    os_handle_close(agent.output);
    os_handle_close(agent.spawned.control);
    send_exit(agent.id, err ? 125 : os_spawn_status(&agent.end));
    os_mutex_lock(&agent.lock);
    agent.running = false;
    os_cond_signal(&agent.idle);
    os_mutex_unlock(&agent.lock);
}

static err_t spawn_command(char *command)
{
    char *words[] = {"sh", "-c", command, NULL};
    handle_t nothing = HANDLE_NONE, write_end = HANDLE_NONE, names = os_startup_handle(STARTUP_NAMES);
    struct spawn s = {.path = "/bin/sh",
                      .arguments = words,
                      .environment = environ,
                      .directory = "/tmp",
                      .deadline = os_deadline_ms(30000)};
    agent.output = HANDLE_NONE;
    err_t err = names_open(names, s.deadline, OPEN_READ, 0, "/dev/null", &nothing, NULL, NULL);
    if (!err)
        err = names_pipe(names, s.deadline, &agent.output, &write_end);
    if (!err)
        err = os_spawn_service(s.deadline, &s.service);
    s.handles[STARTUP_NAMES] = names;
    s.handles[STARTUP_SYSTEM] = os_startup_handle(STARTUP_SYSTEM);
    s.handles[STARTUP_SUPERVISOR] = os_startup_handle(STARTUP_SUPERVISOR);
    os_spawn_fd(&s, 0, nothing);
    os_spawn_fd(&s, 1, write_end);
    os_spawn_fd(&s, 2, write_end);
    if (!err) {
        err = os_spawn(&s, &agent.spawned);
        os_handle_close(s.service);
    }
    if (err && agent.output)
        os_handle_close(agent.output);
    if (nothing)
        os_handle_close(nothing);
    if (write_end)
        os_handle_close(write_end);
    return err;
}

static void wait_idle(void)
{
    os_mutex_lock(&agent.lock);
    while (agent.running)
        os_cond_wait(&agent.idle, &agent.lock, DEADLINE_NEVER);
    os_mutex_unlock(&agent.lock);
    if (agent.carrier)
        os_thread_join(agent.carrier, DEADLINE_NEVER);
    agent.carrier = NULL;
}

static void cancel(void)
{
    os_mutex_lock(&agent.lock);
    bool running = agent.running && !agent.ended;
    os_mutex_unlock(&agent.lock);
    if (running)
        control_kill(agent.spawned.control, os_deadline_ms(2000), 2 /* SIGINT */);
    wait_idle();
    send_frame("\x02 0 ready\n", NULL, 0);
}

static void run_one(unsigned id, char *command)
{
    wait_idle();
    agent.id = id;
    agent.ended = false;
    err_t err = spawn_command(command);
    agent.running = !err;
    if (!err) {
        err = os_thread_create(carrier_thread, NULL, 32768, PRIORITY_NORMAL, &agent.carrier);
        if (err) {
            os_handle_close(agent.spawned.control);
            os_handle_close(agent.output);
        }
    }
    if (!err)
        return;
    agent.running = false;
    char text[120];
    snprintf(text, sizeof text, "sh: the command cannot be started: %s\n", os_error_text(err));
    send_out(id, text, (uint32_t)strlen(text));
    send_exit(id, 126);
}

/* ---- the line ---- */

static int next_byte(void)
{
    static char bytes[1024];
    static uint32_t used, count;
    while (used == count) {
        used = count = 0;
        if (file_read(line_in(), DEADLINE_NEVER, FILE_OFFSET_OWN, sizeof bytes, bytes, sizeof bytes, &count))
            exit(1);
    }
    return (unsigned char)bytes[used++];
}

/* The line may lose bytes, or its other end go away within a request: wherever a start comes, a request begins. */
static bool begun;

static int next_of_request(void)
{
    int c = next_byte();
    begun = c == START;
    return c;
}

/* A number of at most 9 digits and the character after it; false if it is not like that. */
static bool take_number(unsigned *number, int end)
{
    *number = 0;
    for (int digits = 0; digits < 10; digits++) {
        int c = next_of_request();
        if (c == end)
            return digits > 0;
        if (c < '0' || c > '9' || digits == 9)
            return false;
        *number = *number * 10 + (unsigned)(c - '0');
    }
    return false;
}

static void take_request(char *command)
{
    unsigned id, length;
    while (!begun)
        next_of_request();
    if (next_of_request() != ' ' || !take_number(&id, ' ') || !take_number(&length, '\n'))
        return;
    if (id == 0 && length == 0)
        return cancel();
    for (unsigned i = 0; i < length; i++) {
        int c = next_of_request();
        if (begun)
            return;
        if (i < COMMAND_MAX)
            command[i] = (char)c;
    }
    command[length < COMMAND_MAX ? length : COMMAND_MAX] = 0;
    if (length <= COMMAND_MAX && strlen(command) == length)
        return run_one(id, command);
    const char *text = "sh: a command is at most 65536 bytes of text without the bytes 0 and 2\n";
    send_out(id, text, (uint32_t)strlen(text));
    send_exit(id, 126);
}

int agent_run(void)
{
    char *command = malloc(COMMAND_MAX + 1);
    if (!command || file_terminal_set(line_in(), DEADLINE_NEVER, TERMINAL_RAW | TERMINAL_NO_ECHO | TERMINAL_BINARY))
        return 1;
    send_frame("\x02 0 ready\n", NULL, 0);
    for (;;)
        take_request(command);
}
