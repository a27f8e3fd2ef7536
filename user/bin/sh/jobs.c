/* Jobs: what was started in one line. */
#include "shell.h"

#include <abi/ids.h>
#include <idl/control.h>
#include <idl/file.h>
#include <os/log.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <stdio.h>
#include <string.h>

#define KILL_MS 2000u

struct job *job_make(const char *text, size_t bytes, bool background)
{
    for (int i = 0; i < JOBS_MAX; i++) {
        struct job *job = &shell.jobs[i];
        if (job->number)
            continue;
        memset(job, 0, sizeof *job);
        job->number = i + 1;
        job->background = background;
        snprintf(job->text, sizeof job->text, "%.*s", (int)bytes, text);
        return job;
    }
    return NULL;
}

bool job_running(const struct job *job)
{
    for (int i = 0; i < job->count; i++)
        if (!job->children[i].ended)
            return true;
    return false;
}

void job_drop(struct job *job)
{
    for (int i = 0; i < job->count; i++) {
        os_thread_join(job->children[i].waiter, DEADLINE_NEVER);
        os_handle_close(job->children[i].spawned.control);
    }
    job->number = 0;
}

struct job *job_by_number(int number)
{
    return number >= 1 && number <= JOBS_MAX && shell.jobs[number - 1].number ? &shell.jobs[number - 1] : NULL;
}

void job_kill(struct job *job, int signal)
{
    job->killed = true;
    for (int i = 0; i < job->count; i++)
        if (!job->children[i].ended)
            control_kill(job->children[i].spawned.control, os_deadline_ms(KILL_MS), (uint32_t)signal);
}

/* Says why a program ended if it was not by itself. */
static void tell_end(const struct child *child, bool killed)
{
    char text[96];
    if (child->wait_err) {
        complain("%s: its end is not known: %s", child->name, os_error_text(child->wait_err));
        return;
    }
    os_spawn_end_text(&child->end, text, sizeof text);
    bool expected = child->end.cause == EXIT_KILLED && (killed || child->end.code == 13 /* SIGPIPE */);
    if (text[0] && child->end.cause == EXIT_FAULT)
        complain("%s: %s; `log %u.%u` tells more", child->name, text, PROCESS_ID_NODE(child->spawned.process_id),
                 PROCESS_ID_SERIAL(child->spawned.process_id));
    else if (text[0] && !expected)
        complain("%s: %s", child->name, text);
}

/* The status is the last command's; -1 from the start means that this is a program of the job. */
static int job_finish(struct job *job)
{
    int status = job->status;
    for (int i = 0; i < job->count; i++)
        tell_end(&job->children[i], job->killed);
    if (status < 0) /* children are started from the last to the first */
        status = job->children[0].wait_err ? 125 : (int)os_spawn_status(&job->children[0].end);
    job_drop(job);
    return status;
}

/* A program may have left the terminal in raw mode. */
static void reset_terminal(void)
{
    if (shell.interactive)
        file_terminal_set(os_startup_handle(STARTUP_STDIN), os_deadline_ms(1000), 0);
}

int job_wait(struct job *job)
{
    bool ran = job->count > 0;
    while (job_running(job)) {
        uint64_t bits;
        if (os_wait(shell.notification, BIT_CHILD | BIT_INTERRUPT, DEADLINE_NEVER, &bits))
            continue;
        if (!(bits & BIT_INTERRUPT))
            continue;
        shell.interrupted = true;
        job_kill(job, 2 /* SIGINT */);
    }
    if (ran)
        reset_terminal();
    return job_finish(job);
}

void jobs_show_ended(void)
{
    for (int i = 0; i < JOBS_MAX; i++) {
        struct job *job = &shell.jobs[i];
        if (!job->number || !job->background || job_running(job))
            continue;
        int number = job->number;
        char text[sizeof job->text];
        strcpy(text, job->text);
        int status = job_finish(job);
        if (shell.interactive)
            printf("[%d] ended, status %d: %s\n", number, status, text);
    }
}

void jobs_list(void)
{
    for (int i = 0; i < JOBS_MAX; i++) {
        const struct job *job = &shell.jobs[i];
        if (!job->number || !job->background)
            continue;
        printf("[%d] %s  %s", job->number, job_running(job) ? "running" : "ended  ", job->text);
        for (int k = job->count - 1; k >= 0; k--)
            printf("  %u.%u", (unsigned)(job->children[k].spawned.process_id >> 32),
                   (unsigned)job->children[k].spawned.process_id);
        putchar('\n');
    }
}
