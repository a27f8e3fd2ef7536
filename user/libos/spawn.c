/* Starting programs at a process server. */
#include <base/format.h>
#include <idl/control.h>
#include <idl/process.h>
#include <os/service.h>
#include <os/spawn.h>
#include <os/startup.h>
#include <os/syscall.h>

err_t os_spawn_service(uint64_t deadline, handle_t *service_out)
{
    if (os_startup_handle(STARTUP_SUPERVISOR))
        return os_lookup("process", deadline, service_out);
    if (!os_startup_handle(STARTUP_CONTROL))
        return E_NOT_SUPPORTED;
    return os_handle_dup(os_startup_handle(STARTUP_CONTROL), RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INFO,
                         service_out);
}

void os_spawn_fd(struct spawn *s, uint32_t fd, handle_t file)
{
    if (fd < SPAWN_FDS)
        s->handles[fd < 3 ? STARTUP_STDIN + fd : STARTUP_FDS + fd - 3] = file;
}

/* Collects strings and sends them in parts. */
struct words {
    handle_t control;
    uint64_t deadline;
    uint32_t argc, envc, used;
    char part[CONTROL_ARGUMENTS_STRINGS_MAX];
};

static err_t words_flush(struct words *w)
{
    err_t err = w->used ? control_arguments(w->control, w->deadline, w->argc, w->envc, w->part, w->used) : E_OK;
    w->used = 0;
    return err;
}

static err_t words_add(struct words *w, const char *text)
{
    err_t err = E_OK;
    do {
        if (w->used == sizeof w->part)
            err = words_flush(w);
        w->part[w->used++] = *text;
    } while (!err && *text++);
    return err;
}

static uint32_t count_words(char *const *words)
{
    uint32_t count = 0;
    while (words && words[count])
        count++;
    return count;
}

static err_t send_words(const struct spawn *s, handle_t control)
{
    struct words w = {.control = control,
                      .deadline = s->deadline,
                      .argc = count_words(s->arguments),
                      .envc = count_words(s->environment)};
    err_t err = E_OK;
    for (uint32_t i = 0; !err && i < w.argc; i++)
        err = words_add(&w, s->arguments[i]);
    for (uint32_t i = 0; !err && i < w.envc; i++)
        err = words_add(&w, s->environment[i]);
    if (!err)
        err = words_add(&w, s->directory ? s->directory : "/");
    return err ? err : words_flush(&w);
}

/* A child may ask of the cluster what its starter may, also on another node, unless it is given less. */
static handle_t startup_handle_for(const struct spawn *s, uint32_t slot)
{
    if (slot == STARTUP_CLUSTER && s->no_cluster)
        return HANDLE_NONE;
    return slot == STARTUP_CLUSTER && !s->handles[slot] ? os_startup_handle(STARTUP_CLUSTER) : s->handles[slot];
}

static err_t send_handles(const struct spawn *s, handle_t control)
{
    err_t err = E_OK;
    for (uint32_t i = STARTUP_BUDGET + 1; !err && i < STARTUP_HANDLES; i++) {
        handle_t handle = startup_handle_for(s, i);
        if (handle)
            err = control_give(control, s->deadline, i, handle);
        if (err == E_GONE && !s->handles[i])
            err = E_OK; /* who gave it to this program has ended; should it be the server, the next call says so */
    }
    return err;
}

err_t os_spawn(const struct spawn *s, struct spawned *spawned_out)
{
    struct spawned spawned;
    err_t err = process_prepare(s->service, s->deadline, s->path, s->detached ? 0 : PROCESS_ATTACHED, &spawned.control,
                                &spawned.process_id);
    if (err)
        return err;
    err = send_words(s, spawned.control);
    if (!err)
        err = send_handles(s, spawned.control);
    if (!err && s->memory_bytes)
        err = control_limits(spawned.control, s->deadline, s->memory_bytes, PRIORITY_NORMAL);
    if (!err)
        err = control_start(spawned.control, s->deadline);
    if (err)
        os_handle_close(spawned.control);
    else
        *spawned_out = spawned;
    return err;
}

/* A local process server that was started again knows its children by number. */
static err_t find_again(struct spawned *spawned, uint64_t deadline)
{
    handle_t service, control;
    err_t err = os_spawn_service(deadline, &service);
    if (err)
        return err;
    err = process_find(service, deadline, spawned->process_id, &control);
    os_handle_close(service);
    if (err)
        return E_GONE;
    os_handle_close(spawned->control);
    spawned->control = control;
    return E_OK;
}

static bool is_remote(handle_t h)
{
    struct handle_info info;
    return os_handle_info(h, &info) == E_OK && info.remote;
}

err_t os_spawn_wait(struct spawned *spawned, uint64_t deadline, struct spawn_end *end_out)
{
    for (;;) {
        err_t err = control_wait(spawned->control, deadline, &end_out->cause, &end_out->code, &end_out->detail);
        if ((err != E_GONE && err != E_DROPPED && err != E_UNKNOWN) || is_remote(spawned->control))
            return err;
        if (find_again(spawned, deadline) != E_OK)
            return err;
    }
}

uint32_t os_spawn_status(const struct spawn_end *end)
{
    static const uint32_t signals[] = {0, 0, 0, 11, 9, 15, 1};
    if (end->cause == EXIT_EXITED)
        return end->code & 0xff;
    if (end->cause == EXIT_KILLED)
        return 128 + (end->code & 0x7f);
    return 128 + (end->cause < 7 ? signals[end->cause] : 9);
}

void os_spawn_end_text(const struct spawn_end *end, char *to, uint32_t room)
{
    static const char *const faults[] = {"fault",      "reading",      "writing",   "executing", "an instruction",
                                         "arithmetic", "a breakpoint", "alignment", "protection"};
    to[0] = 0;
    if (end->cause == EXIT_KILLED)
        base_format(to, room, "killed by signal %u", end->code);
    else if (end->cause == EXIT_FAULT)
        base_format(to, room, "fault: %s at 0x%llx", faults[end->code < 9 ? end->code : 0],
                    (unsigned long long)end->detail);
    else if (end->cause == EXIT_MEMORY)
        base_format(to, room, "out of memory: its Budget is used up");
    else if (end->cause == EXIT_FENCED)
        base_format(to, room, "ended: its lock session was lost");
    else if (end->cause == EXIT_NODE_LOST)
        base_format(to, room, "its node was lost");
}
