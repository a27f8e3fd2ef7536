/* The shell: sh [-c COMMAND | FILE [WORD...]], or interactive. --login and --agent are for the supervisor. */
#include "shell.h"

#include <abi/cluster.h>
#include <errno.h>
#include <idl/file.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <shoal/cluster.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct shell shell;

/* ---- the prompt ---- */

/* The node's name: given in the configuration, or its number in the cluster once it has one. */
static const char *node_name(void)
{
    static char name[40];
    struct cluster_status status;
    const char *given = getenv("node");
    if (given)
        return given;
    if (shoal_cluster() && shoal_cluster_status(shoal_cluster(), shoal_in_ms(500), &status) == E_OK && status.node) {
        snprintf(name, sizeof name, "node%u", (unsigned)status.node);
        return name;
    }
    return "shoal";
}

static void show_banner(void)
{
    char waiting[160] = "";
    struct cluster_status status;
    if (shoal_cluster() && shoal_cluster_status(shoal_cluster(), shoal_in_ms(500), &status) == E_OK)
        snprintf(waiting, sizeof waiting, "%s",
                 status.state == CLUSTER_MEMBER ? "member of the cluster" : status.waiting);
    printf("\nShoal on %s: this machine works", node_name());
    if (waiting[0])
        printf("; the cluster: %s", waiting);
    printf(".\n`help` shows what can be done, `status` what runs and what is waited for.\n\n");
}

static void loop(void)
{
    while (!shell.leaving) {
        char prompt[64];
        uint64_t bits;
        os_wait(shell.notification, BIT_INTERRUPT, DEADLINE_POLL,
                &bits); /* a ^C that came too late is no longer meant */
        shell.interrupted = false;
        jobs_show_ended();
        snprintf(prompt, sizeof prompt, "%s$ ", node_name());
        char *line = input_line(prompt);
        if (!line) {
            if (shell.interactive)
                puts("exit");
            return;
        }
        if (line[0])
            run_text(line);
        free(line);
    }
}

/* ---- ways to start ---- */

static int run_file(const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    char *text = NULL;
    size_t room = 0;
    if (!file) {
        complain("%s: %s", path, strerror(errno));
        return 127;
    }
    ssize_t bytes = getdelim(&text, &room, 0, file);
    if (bytes < 0 && ferror(file)) {
        complain("%s: %s", path, strerror(errno));
        return 126;
    }
    if (bytes > 0 && strlen(text) < (size_t)bytes) {
        complain("%s: this is no script: it has zero bytes", path);
        return 126;
    }
    return bytes > 0 ? run_text(text) : 0;
}

static bool is_terminal(void)
{
    uint32_t mode, columns, rows;
    handle_t in = os_startup_handle(STARTUP_STDIN);
    return in && file_terminal_get(in, os_deadline_ms(2000), &mode, &columns, &rows) == E_OK;
}

/* ^C on this terminal is told to this shell. */
static void own_terminal(void)
{
    file_terminal_set(os_startup_handle(STARTUP_STDIN), os_deadline_ms(2000), 0);
    file_terminal_owner(os_startup_handle(STARTUP_STDIN), os_deadline_ms(2000), shell.notification);
}

static int run_interactive(bool login)
{
    shell.interactive = is_terminal();
    if (shell.interactive)
        own_terminal();
    if (login)
        show_banner();
    input_start();
    loop();
    return shell.status;
}

/* `run = COMMAND` in the configuration: that instead of a person; its status leaves the emulator. */
static int run_configured(const char *command)
{
    shell.interactive = is_terminal();
    if (shell.interactive)
        own_terminal();
    shell.interactive = false;
    int status = run_text(command);
    fflush(NULL);
    os_control(os_startup_handle(STARTUP_SYSTEM), OP_SYSTEM_POWER, 0, (uint64_t)status, 0, 0);
    return status;
}

int main(int argc, char **argv)
{
    if (os_create(os_budget(), OBJECT_NOTIFICATION, 0, 0, 0, &shell.notification)) {
        complain("there is no memory to start with");
        return 125;
    }
    signal(SIGPIPE, SIG_IGN); /* a reader of a built-in's output may have gone: no reason to end */
    if (!getenv("PATH"))
        setenv("PATH", "/bin", 1);
    if (argc > 1 && strcmp(argv[1], "--agent") == 0)
        return agent_run();
    if (argc > 1 && strcmp(argv[1], "--login") == 0) {
        const char *command = getenv("run");
        chdir("/tmp");
        return command ? run_configured(command) : run_interactive(true);
    }
    if (argc > 2 && strcmp(argv[1], "-c") == 0) {
        shell.argc = argc - 2;
        shell.argv = argv + 2;
        return run_text(argv[2]);
    }
    if (argc > 1 && argv[1][0] == '-' && argv[1][1]) {
        complain("%s is not known; expected: sh [-c COMMAND | FILE [WORD...]]", argv[1]);
        return 2;
    }
    if (argc > 1) {
        shell.argc = argc - 1;
        shell.argv = argv + 1;
        return run_file(argv[1]);
    }
    return run_interactive(false);
}
