/* Running what was parsed. */
#include "shell.h"

#include <fcntl.h>
#include <idl/names.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <shoal/fd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("sh: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

/* ---- redirection ---- */

static err_t copy_handle(handle_t from, handle_t *to)
{
    return os_handle_dup(from, RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INFO, to);
}

static err_t redirect_target(const struct redirect *r, const struct redirected *files, handle_t *file_out)
{
    if (r->kind == REDIRECT_SAME) {
        err_t err = copy_handle(files->file[r->same], file_out);
        if (err)
            complain("descriptor %d: %s", r->same, os_error_text(err));
        return err;
    }
    char *path = expand_one(&shell_expander, r->target);
    err_t err = path ? open_redirect(path, r->kind, file_out) : E_NO_MEMORY;
    if (err)
        complain("%s: %s", path ? path : "?", os_error_text(err));
    free(path);
    return err;
}

static bool redirect(const struct redirect *r, struct redirected *files)
{
    handle_t file;
    if (redirect_target(r, files, &file))
        return false;
    if (files->owned[r->fd])
        os_handle_close(files->file[r->fd]);
    files->file[r->fd] = file;
    files->owned[r->fd] = true;
    return true;
}

/* ---- built-in commands ---- */

/* Runs a built-in with its output and errors where they belong. The descriptors are put back afterwards. */
static int run_builtin(builtin_run *run, const struct words *words, const struct redirected *files)
{
    int kept[3] = {-1, -1, -1};
    fflush(NULL);
    for (int fd = 1; fd < 3; fd++) {
        if (files->file[fd] == os_startup_handle(STARTUP_STDIN + fd))
            continue;
        kept[fd] = dup(fd);
        handle_t copy;
        int taken = copy_handle(files->file[fd], &copy) ? -1 : shoal_fd_open(copy);
        if (taken >= 0) {
            dup2(taken, fd);
            close(taken);
        }
    }
    int status = run(words->count, words->word);
    if (fflush(stdout) != 0 && status == 0)
        status = 1;
    clearerr(stdout);
    fflush(stderr);
    for (int fd = 1; fd < 3; fd++) {
        if (kept[fd] < 0)
            continue;
        dup2(kept[fd], fd);
        close(kept[fd]);
    }
    return status;
}

/* NAME=value words alone set variables. */
static bool is_assignment(const char *word)
{
    const char *at = word;
    while ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '_' ||
           (at > word && *at >= '0' && *at <= '9'))
        at++;
    return at > word && *at == '=';
}

static int assign(char *const *words)
{
    for (; *words; words++) {
        char *text = expand_one(&shell_expander, *words), *equals = text ? strchr(text, '=') : NULL;
        bool good = equals != NULL;
        if (good) {
            *equals = 0;
            good = variable_set(text, equals + 1);
        }
        free(text);
        if (!good)
            return 1;
    }
    return 0;
}

static bool all_assignments(const struct command *c)
{
    for (int i = 0; i < c->count; i++)
        if (!is_assignment(c->words[i]))
            return false;
    return c->count > 0;
}

/* ---- a pipeline ---- */

/* One command with its descriptors: a program is started in the job; a built-in runs here and now. *status_out is set
 * for what is not a child. */
static void run_command(struct job *job, const struct command *c, struct redirected *files, int *status_out)
{
    struct words words;
    *status_out = 1;
    for (int i = 0; i < c->redirect_count; i++)
        if (!redirect(&c->redirects[i], files))
            return;
    if (all_assignments(c)) {
        *status_out = assign(c->words);
        return;
    }
    if (!expand_all(&shell_expander, c->words, &words)) {
        complain("there is no memory left");
        return;
    }
    builtin_run *builtin = words.count ? builtin_find(words.word[0]) : NULL;
    if (words.count == 0)
        *status_out = 0;
    else if (builtin)
        *status_out = run_builtin(builtin, &words, files);
    else
        start_program(job, words.word, files, status_out);
    words_free(&words);
}

/* The descriptors of command i of a pipeline: between two commands a pipe. */
static bool make_pipe(struct redirected *from, struct redirected *to)
{
    err_t err = names_pipe(os_startup_handle(STARTUP_NAMES), os_deadline_ms(5000), &to->file[0], &from->file[1]);
    from->owned[1] = to->owned[0] = err == E_OK;
    if (err)
        complain("no pipe: %s", os_error_text(err));
    return err == E_OK;
}

static int run_pipeline(const struct pipeline *p, bool background)
{
    struct redirected files[PIPELINE_MAX];
    int status = 1;
    if (p->count > PIPELINE_MAX) {
        complain("at most %d commands can be in one pipeline", PIPELINE_MAX);
        return 2;
    }
    struct job *job = job_make(p->text, p->text_bytes, background);
    if (!job) {
        complain("%d jobs are running; wait for one, or kill one", JOBS_MAX);
        return 1;
    }
    bool good = true;
    for (int i = 0; i < p->count; i++)
        for (int fd = 0; fd < 3; fd++)
            files[i].file[fd] = os_startup_handle(STARTUP_STDIN + fd), files[i].owned[fd] = false;
    for (int i = 0; good && i + 1 < p->count; i++)
        good = make_pipe(&files[i], &files[i + 1]);
    /* From the last to the first: a built-in that writes finds its reader running. */
    for (int i = p->count - 1; i >= 0; i--) {
        int own = 1;
        if (good)
            run_command(job, &p->commands[i], &files[i], &own);
        if (i == p->count - 1)
            status = own;
        redirected_close(&files[i]);
    }
    job->status = status;
    if (background && job_running(job)) {
        if (shell.interactive)
            printf("[%d] %s\n", job->number, job->text);
        return 0;
    }
    return job_wait(job);
}

static bool is_wanted(const struct pipeline *before, int status)
{
    return !before || (before->joint == JOINT_AND ? status == 0 : before->joint == JOINT_OR ? status != 0 : true);
}

int run_text(const char *text)
{
    const char *error;
    struct script *script = parse(text, &error);
    if (!script) {
        complain("%s", error);
        return shell.status = 2;
    }
    const struct pipeline *before = NULL;
    for (int i = 0; i < script->count && !shell.leaving && !shell.interrupted; i++) {
        const struct pipeline *p = &script->pipelines[i];
        if (is_wanted(before, shell.status))
            shell.status = run_pipeline(p, p->joint == JOINT_BACKGROUND);
        before = p;
    }
    parse_free(script);
    return shell.status;
}
