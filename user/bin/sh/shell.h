/* The shell: state and the parts it is made of. */
#pragma once

#include "expand.h"
#include "parse.h"

#include <abi/types.h>
#include <os/log.h>
#include <os/spawn.h>
#include <os/thread.h>
#include <stdbool.h>

#define JOBS_MAX      32
#define PIPELINE_MAX  16
#define BIT_INTERRUPT 1ull /* ^C, from the terminal */
#define BIT_CHILD     2ull /* a waiter thread has seen an end */

/* A program that was started, and the thread that waits for its end. */
struct child {
    struct spawned spawned;
    struct spawn_end end;
    err_t wait_err; /* when the end could not be learned */
    volatile bool ended;
    struct os_thread *waiter;
    char name[32];
};

struct job {
    int number; /* from 1; 0: free */
    int count, status;
    bool background, killed; /* killed: from this shell, so its end needs no words */
    struct child children[PIPELINE_MAX];
    char text[128];
};

struct shell {
    bool interactive, leaving;
    bool interrupted; /* by ^C: what follows in the line is not run */
    int status;       /* $? */
    handle_t notification;
    int argc; /* $1.. of a script */
    char **argv;
    struct job jobs[JOBS_MAX];
};

extern struct shell shell;
extern const struct expander shell_expander;

/* Prints "sh: ..." on standard error. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* run.c: parses and runs a text; the status of its last command. */
int run_text(const char *text);

/* spawn.c */
struct redirected { /* the handles of a command's descriptors 0..2, and which of them are its own to close */
    handle_t file[3];
    bool owned[3];
};
/* Starts a program with these words. The error is told to the user; status_out is what $? becomes then. */
bool start_program(struct job *job, char **words, const struct redirected *files, int *status_out);
/* The file to redirect to. */
err_t open_redirect(const char *path, enum redirect_kind kind, handle_t *file_out);
void redirected_close(struct redirected *files);

/* jobs.c */
struct job *job_make(const char *text, size_t bytes, bool background);
void job_drop(struct job *job);
/* Waits for a foreground job, or any job with `job`; ^C ends it. Returns its status. */
int job_wait(struct job *job);
void job_kill(struct job *job, int signal);
bool job_running(const struct job *job);
/* Shows what has ended since the last time. */
void jobs_show_ended(void);
struct job *job_by_number(int number);
void jobs_list(void);

/* builtins.c */
typedef int builtin_run(int argc, char **argv);
builtin_run *builtin_find(const char *name);
const char *const *builtin_names(void);

/* vars.c */
const char *variable_get(const char *name);
bool variable_set(const char *name, const char *value);

/* files.c: entries of a directory, for file names in commands and for completion */
void directory_entries(const char *directory, void (*add)(const char *name, void *list), void *list, void *context);

/* input.c: a line with editing where there is a terminal. Freed by the caller; NULL at the end. */
char *input_line(const char *prompt);
void input_start(void);

/* agent.c: serves commands for tools over a terminal line; does not return. */
int agent_run(void);
