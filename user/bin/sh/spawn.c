/* Starting programs. */
#include "shell.h"

#include <abi/file.h>
#include <errno.h>
#include <fcntl.h>
#include <idl/file.h>
#include <idl/names.h>
#include <os/log.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_MS           30000u
#define WAITER_STACK_BYTES 16384u

static handle_t names(void)
{
    return os_startup_handle(STARTUP_NAMES);
}

static err_t absolute(const char *path, char *out, size_t room)
{
    char cwd[1024];
    if (path[0] == '/')
        cwd[0] = 0;
    else if (!getcwd(cwd, sizeof cwd))
        return E_TOO_LONG;
    int n = snprintf(out, room, "%s%s%s", cwd, cwd[0] ? "/" : "", path);
    return n < 0 || (size_t)n >= room ? E_TOO_LONG : E_OK;
}

err_t open_redirect(const char *path, enum redirect_kind kind, handle_t *file_out)
{
    char full[NAMES_OPEN_PATH_MAX + 1];
    uint32_t flags = kind == REDIRECT_READ    ? OPEN_READ
                     : kind == REDIRECT_WRITE ? OPEN_WRITE | OPEN_CREATE | OPEN_TRUNCATE
                                              : OPEN_WRITE | OPEN_CREATE | OPEN_APPEND;
    err_t err = absolute(path, full, sizeof full);
    return err ? err : names_open(names(), os_deadline_ms(START_MS), flags, 0644, full, file_out, NULL, NULL);
}

void redirected_close(struct redirected *files)
{
    for (int fd = 0; fd < 3; fd++)
        if (files->owned[fd])
            os_handle_close(files->file[fd]);
    memset(files, 0, sizeof *files);
}

/* ---- finding ---- */

/* The file a command's name stands for: in /bin, unless it has a slash. */
static err_t find_program(const char *name, char *path, size_t room)
{
    uint32_t kind;
    if (!strchr(name, '/')) {
        int n = snprintf(path, room, "/bin/%s", name);
        if (n < 0 || (size_t)n >= room)
            return E_NO_ENTRY;
    } else {
        err_t err = absolute(name, path, room);
        if (err)
            return err;
    }
    err_t err = names_stat(names(), os_deadline_ms(START_MS), path, &kind, NULL, NULL, NULL, NULL);
    return !err && kind == FILE_DIRECTORY ? E_IS_DIRECTORY : err;
}

/* The interpreter that a script's first line names ("#!/bin/lua"), else the shell. */
static void find_interpreter(const char *path, char *interpreter, size_t room)
{
    char line[128] = "";
    FILE *file = fopen(path, "r");
    if (file && fgets(line, sizeof line, file))
        line[strcspn(line, "\n")] = 0;
    if (file)
        fclose(file);
    const char *from = line + 2 + strspn(line + 2, " ");
    snprintf(interpreter, room, "%s", strncmp(line, "#!/", 3) == 0 ? from : "/bin/sh");
    interpreter[strcspn(interpreter, " \t\r")] = 0;
}

/* ---- starting ---- */

/* What only this shell holds and these programs need. The rest of the programs get nothing of it. */
static void give_privileges(struct spawn *s, const char *path)
{
    static const char *const needing[] = {"/bin/sh",     "/bin/status",   "/bin/log",     "/bin/top",
                                          "/bin/reboot", "/bin/poweroff", "/bin/service", "/bin/ps"};
    for (size_t i = 0; i < sizeof needing / sizeof needing[0]; i++) {
        if (strcmp(path, needing[i]) != 0)
            continue;
        s->handles[STARTUP_SYSTEM] = os_startup_handle(STARTUP_SYSTEM);
        s->handles[STARTUP_SUPERVISOR] = os_startup_handle(STARTUP_SUPERVISOR);
    }
}

static err_t spawn_path(const char *path, char **words, const struct redirected *files, struct spawned *spawned)
{
    char cwd[1024];
    struct spawn s = {.path = path,
                      .arguments = words,
                      .environment = environ,
                      .deadline = os_deadline_ms(START_MS),
                      .directory = getcwd(cwd, sizeof cwd)};
    s.handles[STARTUP_NAMES] = names();
    for (uint32_t fd = 0; fd < 3; fd++)
        os_spawn_fd(&s, fd, files->file[fd]);
    give_privileges(&s, path);
    err_t err = os_spawn_service(s.deadline, &s.service);
    if (err)
        return err;
    err = os_spawn(&s, spawned);
    os_handle_close(s.service);
    return err;
}

static err_t spawn_script(const char *path, char **words, const struct redirected *files, struct spawned *spawned)
{
    char interpreter[128];
    int count = 0;
    find_interpreter(path, interpreter, sizeof interpreter);
    while (words[count])
        count++;
    char **longer = calloc((size_t)count + 2, sizeof *longer);
    if (!longer)
        return E_NO_MEMORY;
    longer[0] = interpreter;
    longer[1] = (char *)path;
    memcpy(longer + 2, words + 1, (size_t)(count - 1) * sizeof *longer);
    err_t err = spawn_path(interpreter, longer, files, spawned);
    free(longer);
    return err;
}

static void waiter_thread(void *argument)
{
    struct child *child = argument;
    child->wait_err = os_spawn_wait(&child->spawned, DEADLINE_NEVER, &child->end);
    child->ended = true;
    os_signal(shell.notification, BIT_CHILD);
}

static err_t add_child(struct job *job, const char *name, const struct spawned *spawned)
{
    struct child *child = &job->children[job->count];
    *child = (struct child){.spawned = *spawned};
    snprintf(child->name, sizeof child->name, "%s", name);
    err_t err = os_thread_create(waiter_thread, child, WAITER_STACK_BYTES, PRIORITY_NORMAL, &child->waiter);
    if (err)
        os_handle_close(spawned->control); /* ends the program */
    else
        job->count++;
    return err;
}

/* The name server was started again: all that this shell knows by name is of its former life. Its successor, which the
 * supervisor or the user starts, has the new name space. */
static bool names_lost(void)
{
    uint32_t kind;
    return names_stat(names(), os_deadline_ms(2000), "/", &kind, NULL, NULL, NULL, NULL) == E_GONE;
}

static int explain(const char *name, err_t err)
{
    if (err == E_GONE && names_lost()) {
        complain("the name server was lost; this shell ends");
        shell.leaving = true;
        return 125;
    }
    if (err == E_NO_ENTRY && !strchr(name, '/'))
        complain("%s: no such command; `help` lists what there is", name);
    else if (err == E_NO_MEMORY)
        complain("%s: not started: all memory for programs is promised to those that run; wait for one, or end one",
                 name);
    else
        complain("%s: not started: %s", name, os_error_text(err));
    return err == E_NO_ENTRY ? 127 : 126;
}

bool start_program(struct job *job, char **words, const struct redirected *files, int *status_out)
{
    char path[NAMES_OPEN_PATH_MAX + 1];
    struct spawned spawned;
    err_t err = find_program(words[0], path, sizeof path);
    if (!err)
        err = spawn_path(path, words, files, &spawned);
    if (err == E_BAD_IMAGE)
        err = spawn_script(path, words, files, &spawned);
    if (!err)
        err = add_child(job, words[0], &spawned);
    if (err)
        *status_out = explain(words[0], err);
    else
        *status_out = -1; /* its end tells */
    return err == E_OK;
}
