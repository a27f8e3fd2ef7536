/* Commands that change the shell itself, and so cannot be programs. */
#include "shell.h"

#include <abi/ids.h>
#include <errno.h>
#include <idl/process.h>
#include <os/log.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static int run_cd(int argc, char **argv)
{
    const char *to = argc > 1 ? argv[1] : "/";
    if (argc > 2)
        return complain("cd: one directory is expected"), 2;
    if (chdir(to) == 0)
        return 0;
    complain("cd: %s: %s", to, strerror(errno));
    return 1;
}

static int run_pwd(int argc, char **argv)
{
    char path[1024];
    if (!getcwd(path, sizeof path))
        return complain("pwd: %s", strerror(errno)), 1;
    puts(path);
    return 0;
}

static int run_exit(int argc, char **argv)
{
    char *end = "";
    long status = argc > 1 ? strtol(argv[1], &end, 10) : shell.status;
    if (argc > 2 || *end || status < 0 || status > 255)
        return complain("exit: a status from 0 to 255 is expected"), 2;
    shell.leaving = true;
    return (int)status;
}

static int run_export(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (!equals || equals == argv[i])
            return complain("export: NAME=VALUE is expected, not '%s'", argv[i]), 2;
        *equals = 0;
        if (!variable_set(argv[i], equals + 1))
            return 1;
    }
    for (char **word = environ; argc == 1 && *word; word++)
        puts(*word);
    return 0;
}

static int run_unset(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        unsetenv(argv[i]);
    return argc > 1 ? 0 : (complain("unset: a name is expected"), 2);
}

static int run_jobs(int argc, char **argv)
{
    jobs_list();
    return 0;
}

/* %N, or N when there is such a job. */
static struct job *job_named(const char *word)
{
    char *end;
    long number = strtol(word + (*word == '%'), &end, 10);
    struct job *job = *end || end == word ? NULL : job_by_number((int)number);
    return job && job->background ? job : NULL;
}

static int run_wait(int argc, char **argv)
{
    int status = 0;
    for (int i = 1; i < argc; i++) {
        struct job *job = job_named(argv[i]);
        if (!job)
            return complain("wait: no job '%s'; `jobs` lists them", argv[i]), 127;
        status = job_wait(job);
    }
    for (int i = 0; argc == 1 && i < JOBS_MAX; i++)
        if (shell.jobs[i].number && shell.jobs[i].background)
            status = job_wait(&shell.jobs[i]);
    return status;
}

static int run_source(int argc, char **argv)
{
    if (argc != 2)
        return complain(".: a file is expected"), 2;
    FILE *file = fopen(argv[1], "r");
    if (!file)
        return complain(".: %s: %s", argv[1], strerror(errno)), 1;
    char *text = NULL;
    size_t room = 0;
    ssize_t bytes = getdelim(&text, &room, 0, file);
    int status = 0;
    if (bytes < 0 && ferror(file))
        complain(".: %s: %s", argv[1], strerror(errno)), status = 1;
    fclose(file);
    if (bytes > 0)
        status = run_text(text);
    free(text);
    return status;
}

/* "2.17" or "%1"; a signal number or name before it. */
static int signal_number(const char *word)
{
    static const struct {
        const char *name;
        int number;
    } known[] = {{"HUP", 1}, {"INT", 2}, {"QUIT", 3}, {"KILL", 9}, {"PIPE", 13}, {"TERM", 15}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(word, known[i].name) == 0)
            return known[i].number;
    char *end;
    long number = strtol(word, &end, 10);
    return *end || number < 1 || number > 31 ? 0 : (int)number;
}

static int kill_one(const char *word, int signal)
{
    struct job *job = word[0] == '%' ? job_named(word) : NULL;
    if (!job && word[0] == '%')
        return complain("kill: no job '%s'; `jobs` lists them", word), 1;
    if (job)
        return job_kill(job, signal), 0;
    /* A process by number, here or on another node, is the program's business. */
    char text[64];
    snprintf(text, sizeof text, "/bin/kill -%d '%.30s'", signal, word);
    return strchr(word, '\'') ? 2 : run_text(text);
}

static int kill_cluster_job(const char *word)
{
    char text[64];
    snprintf(text, sizeof text, "/bin/kill --job '%.30s'", word);
    return strchr(word, '\'') ? 2 : run_text(text);
}

static int run_kill(int argc, char **argv)
{
    int first = 1, signal = 15, status = 0;
    if (argc > 2 && strcmp(argv[1], "--job") == 0) {
        for (int i = 2; i < argc; i++)
            status |= kill_cluster_job(argv[i]);
        return status;
    }
    if (argc > 1 && argv[1][0] == '-') {
        signal = signal_number(argv[1] + 1);
        first = 2;
    }
    if (signal == 0 || argc <= first)
        return complain("kill: expected [-SIGNAL] and a process (2.17) or a job (%%1)"), 2;
    for (int i = first; i < argc; i++)
        status |= kill_one(argv[i], signal);
    return status;
}

static const struct {
    const char *name;
    builtin_run *run;
} builtins[] = {{"cd", run_cd},       {"pwd", run_pwd},      {"exit", run_exit}, {"export", run_export},
                {"unset", run_unset}, {"jobs", run_jobs},    {"wait", run_wait}, {"kill", run_kill},
                {".", run_source},    {"source", run_source}};

builtin_run *builtin_find(const char *name)
{
    for (size_t i = 0; i < sizeof builtins / sizeof builtins[0]; i++)
        if (strcmp(builtins[i].name, name) == 0)
            return builtins[i].run;
    return NULL;
}

const char *const *builtin_names(void)
{
    static const char *names[sizeof builtins / sizeof builtins[0] + 1];
    for (size_t i = 0; i < sizeof builtins / sizeof builtins[0]; i++)
        names[i] = builtins[i].name;
    return names;
}
