/* Running programs here, there, and under a lock. The program gets this one's name space, directory and descriptors, so
 * that no byte passes through here; it ends with this process. */
#include "shoal.h"

#include <abi/file.h>
#include <errno.h>
#include <idl/cluster.h>
#include <idl/control.h>
#include <idl/process.h>
#include <os/fence.h>
#include <os/log.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <os/thread.h>
#include <shoal/cluster.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

#define START_MS 15000u

/* What programs started here may ask of the cluster, when it is less than this one may. */
static handle_t permitted_handle;
static bool permitted_nothing;

static void fill_spawn(struct spawn *s, handle_t service, const char *path, char **words)
{
    static char cwd[1024];
    *s = (struct spawn){.service = service,
                        .path = path,
                        .arguments = words,
                        .environment = environ,
                        .directory = getcwd(cwd, sizeof cwd),
                        .deadline = os_deadline_ms(START_MS)};
    s->handles[STARTUP_NAMES] = os_startup_handle(STARTUP_NAMES);
    s->handles[STARTUP_CLUSTER] = permitted_handle;
    s->no_cluster = permitted_nothing;
    for (uint32_t fd = 0; fd < 3; fd++)
        os_spawn_fd(s, fd, os_startup_handle(STARTUP_STDIN + fd));
}

/* /bin/NAME, or the path made absolute. */
static bool program_path(const char *name, char *path, size_t room)
{
    char cwd[1024] = "";
    if (!strchr(name, '/'))
        return (size_t)snprintf(path, room, "/bin/%s", name) < room;
    if (name[0] != '/' && !getcwd(cwd, sizeof cwd))
        return false;
    return (size_t)snprintf(path, room, "%s%s%s", cwd, cwd[0] ? "/" : "", name) < room;
}

/* A script runs in the interpreter that its first line names, else in the shell. */
static err_t spawn_script(const struct spawn *program, struct spawned *spawned)
{
    char line[128] = "";
    char *words[68] = {line, (char *)program->path};
    struct spawn s = *program;
    FILE *file = fopen(program->path, "r");
    bool named = file && fgets(line, sizeof line, file) && strncmp(line, "#!/", 3) == 0;
    if (file)
        fclose(file);
    memmove(line, named ? line + 2 : "/bin/sh", named ? strlen(line + 2) + 1 : 8);
    line[strcspn(line, " \t\r\n")] = 0;
    for (int i = 1; program->arguments[i]; i++) {
        if (i + 2 == sizeof words / sizeof words[0])
            return E_TOO_LONG;
        words[i + 1] = program->arguments[i];
    }
    s.path = line;
    s.arguments = words;
    return os_spawn(&s, spawned);
}

static err_t start(handle_t service, char **words, handle_t lock, struct spawned *spawned)
{
    char path[1024];
    struct spawn s;
    if (!program_path(words[0], path, sizeof path))
        return E_TOO_LONG;
    fill_spawn(&s, service, path, words);
    s.handles[STARTUP_EXTRA] = lock;
    err_t err = os_spawn(&s, spawned);
    return err == E_BAD_IMAGE ? spawn_script(&s, spawned) : err;
}

static int tell_start(const char *where, const char *name, err_t err)
{
    if (err == E_NO_ENTRY)
        return fail("%s: no such program%s%s", name, where[0] ? " for " : "", where), 127;
    if (err == E_UNKNOWN || err == E_GONE || err == E_TIMED_OUT || err == E_NOT_DELIVERED)
        return fail("%s%s: %s", where[0] ? where : "the process server",
                    err == E_TIMED_OUT ? " does not answer" : " was lost, or cannot be reached",
                    err == E_UNKNOWN ? "whether the program runs is not known" : words_for(err)),
               125;
    return fail("%s: not started: %s", name, os_error_text(err)), 126;
}

/* What is shown, and the status, of a wait that has come back. */
static int tell_end(const char *where, const char *name, err_t err, const struct spawn_end *end)
{
    char text[96];
    if (err == E_UNKNOWN || err == E_GONE || err == E_DROPPED)
        return fail("%s was lost while %s ran there; whether it finished is not known",
                    where[0] ? where : "the process server", name),
               125;
    if (err)
        return fail("%s: its end is not known: %s", name, os_error_text(err)), 125;
    os_spawn_end_text(end, text, sizeof text);
    if (text[0])
        fail("%s%s%s: %s", where, where[0] ? ": " : "", name, text);
    return (int)os_spawn_status(end);
}

/* Ends what runs under a lock when that is lost. */
struct warden {
    handle_t lock, control;
    const char *name;
    bool ended; /* the program did: the lock is given back, or about to be */
};

static void warden_thread(void *argument)
{
    const struct warden *w = argument;
    if (os_fence_lost(w->lock, DEADLINE_NEVER) != E_STALE_FENCE || __atomic_load_n(&w->ended, __ATOMIC_ACQUIRE))
        return;
    fail("the lock is lost, since this node's lease ended; %s is ended", w->name);
    control_kill(w->control, soon(), SIGKILL);
}

int spawn_and_wait(handle_t service, const char *where, char **words, handle_t lock)
{
    struct spawned spawned;
    struct spawn_end end = {0};
    err_t err = start(service, words, lock, &spawned);
    os_handle_close(service);
    if (err)
        return tell_start(where, words[0], err);
    static struct warden warden; /* outlives this: its thread does, until the lock is let go of */
    warden = (struct warden){lock, spawned.control, words[0], false};
    struct os_thread *thread;
    if (lock && os_thread_create(warden_thread, &warden, 16384, PRIORITY_NORMAL, &thread) != E_OK)
        fail("out of memory: %s will not be told if the lock is lost", words[0]);
    err = os_spawn_wait(&spawned, DEADLINE_NEVER, &end);
    __atomic_store_n(&warden.ended, true, __ATOMIC_RELEASE);
    int status = tell_end(where, words[0], err, &end);
    os_handle_close(spawned.control);
    return status;
}

int run_here(char **words, handle_t lock)
{
    handle_t service;
    err_t err = os_spawn_service(soon(), &service);
    return err ? fail("%s", os_error_text(err)) : spawn_and_wait(service, "", words, lock);
}

/* ---- allow ---- */

static const struct {
    const char *word;
    uint32_t class;
    const char *text;
} classes[] = {
#define CLUSTER_CLASS(name, bit, word, text) {word, CLUSTER_MAY_##name, text},
#include "../../../abi/cluster_classes.def"
#undef CLUSTER_CLASS
};
#define CLASSES (sizeof classes / sizeof classes[0])

static uint32_t class_named(const char *word)
{
    for (size_t i = 0; i < CLASSES; i++)
        if (strcmp(word, classes[i].word) == 0)
            return classes[i].class;
    return 0;
}

/* `allow` alone: what this program itself may do. */
static int show_permissions(handle_t cluster)
{
    uint32_t permitted = 0;
    char prefix[CLUSTER_PREFIX_MAX + 1] = "";
    err_t err = cluster ? shoal_cluster_permits(cluster, soon(), &permitted, prefix) : E_OK;
    if (err)
        return fail("%s", words_for(err));
    for (size_t i = 0; i < CLASSES; i++)
        printf("%-9s %-3s  %s\n", classes[i].word, permitted & classes[i].class ? "yes" : "no", classes[i].text);
    if (prefix[0])
        printf("keys, locks and names: those that begin with %s\n", prefix);
    return 0;
}

static int run_narrowed(handle_t narrowed, char **words)
{
    permitted_handle = narrowed;
    permitted_nothing = !narrowed;
    return run_here(words, HANDLE_NONE);
}

int allow_run(int argc, char **argv)
{
    uint32_t wanted = 0;
    const char *prefix = "";
    handle_t narrowed = HANDLE_NONE, own = os_startup_handle(STARTUP_CLUSTER);
    int i = 1;
    if (argc == 1)
        return show_permissions(own);
    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        uint32_t class = class_named(argv[i]);
        if (strcmp(argv[i], "--under") == 0 && i + 1 < argc)
            prefix = argv[++i];
        else if (class)
            wanted |= class;
        else
            return fail("'%s' is nothing that can be allowed; `allow` alone lists what can", argv[i]), 2;
    }
    if (i + 1 >= argc)
        return usage();
    if (strlen(prefix) > CLUSTER_PREFIX_MAX)
        return fail("a prefix has at most %u bytes", CLUSTER_PREFIX_MAX), 2;
    err_t err = !wanted ? E_OK : own ? shoal_cluster_narrow(own, soon(), wanted, prefix, &narrowed) : E_NO_RIGHT;
    if (err)
        return fail("%s", err == E_NO_RIGHT ? "that is more than this program itself may do; `allow` alone lists it"
                                            : words_for(err)),
               126;
    return run_narrowed(narrowed, argv + i + 1);
}

/* ---- on ---- */

err_t node_processes(uint32_t node, handle_t *service)
{
    struct cluster_status status;
    handle_t cluster = os_startup_handle(STARTUP_CLUSTER);
    cluster_status_read(&status);
    if (status.node == node)
        return os_spawn_service(soon(), service);
    return cluster ? cluster_node_service(cluster, soon(), node, "process", service) : E_NOT_SUPPORTED;
}

static const char *node_text(uint32_t node)
{
    static char texts[4][16];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    snprintf(text, 16, "node %u", node);
    return text;
}

/* A machine that is alone cannot say. */
static bool node_is_known(uint32_t node)
{
    static struct cluster_node nodes[NODES_MAX];
    uint32_t count = cluster_nodes_read(nodes, NODES_MAX);
    for (uint32_t i = 0; i < count; i++)
        if (nodes[i].node == node)
            return true;
    return count == 0;
}

int on_run(int argc, char **argv)
{
    handle_t service;
    if (argc < 3)
        return usage();
    uint32_t node = cluster_node_number(argv[1]);
    if (node == 0)
        return fail("'%s' is no node; `nodes` lists them", argv[1]), 125;
    err_t err = node_processes(node, &service);
    if (err == E_NOT_FOUND || (err == E_NOT_DELIVERED && !node_is_known(node)))
        return fail("node %u is not known; `nodes` lists them", node), 125;
    if (err)
        return fail("node %u cannot be reached: %s", node, words_for(err)), 125;
    return spawn_and_wait(service, node_text(node), argv + 2, HANDLE_NONE);
}

/* ---- run ---- */

struct placed {
    uint32_t node;
    struct spawned spawned;
    struct os_thread *waiter;
    err_t err;
    struct spawn_end end;
};

/* Less is better: processes per processor, and how busy they are. A node that is full is the last choice. */
static uint64_t burden(const struct cluster_node *n, uint32_t planned)
{
    uint64_t cpus = n->cpus ? n->cpus : 1, full = n->free_bytes < 8ull << 20 ? 1000000 : 0;
    return full + (n->running + planned) * 100 / cpus + n->busy_percent / 10;
}

/* The node for the next program, given how many of these were placed on each already. */
static uint32_t choose(const struct cluster_node *nodes, uint32_t count, const uint32_t *planned)
{
    uint32_t best = count;
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i].state != 1)
            continue;
        bool spread = best == count || planned[i] < planned[best];
        bool lighter = best < count && planned[i] == planned[best] &&
                       burden(&nodes[i], planned[i]) < burden(&nodes[best], planned[best]);
        if (spread || lighter)
            best = i;
    }
    return best;
}

static void wait_thread(void *argument)
{
    struct placed *p = argument;
    p->err = os_spawn_wait(&p->spawned, DEADLINE_NEVER, &p->end);
}

static int start_placed(struct placed *p, char **words)
{
    handle_t service;
    err_t err = p->node ? node_processes(p->node, &service) : os_spawn_service(soon(), &service);
    if (!err) {
        err = start(service, words, HANDLE_NONE, &p->spawned);
        os_handle_close(service);
    }
    if (!err)
        err = os_thread_create(wait_thread, p, 16384, PRIORITY_NORMAL, &p->waiter);
    return err ? tell_start(node_text(p->node), words[0], err) : 0;
}

static int run_placed(uint32_t wanted, char **words)
{
    static struct cluster_node nodes[NODES_MAX];
    static struct placed placed[64];
    uint32_t planned[NODES_MAX + 1] = {0}, count = cluster_nodes_read(nodes, NODES_MAX);
    int status = 0;
    for (uint32_t i = 0; i < wanted; i++) {
        uint32_t n = choose(nodes, count, planned);
        placed[i].node = n < count ? nodes[n].node : 0; /* alone: here */
        planned[n]++;
        int failed = start_placed(&placed[i], words);
        status = failed ? failed : status;
    }
    for (uint32_t i = 0; i < wanted; i++) {
        if (!placed[i].waiter)
            continue;
        os_thread_join(placed[i].waiter, DEADLINE_NEVER);
        int own = tell_end(node_text(placed[i].node), words[0], placed[i].err, &placed[i].end);
        status = own ? own : status;
        os_handle_close(placed[i].spawned.control);
    }
    return status;
}

/* Words put together to a command line that a shell reads as these words. */
static bool quote_words(char **words, char *line, size_t room)
{
    size_t used = 0;
    for (; *words; words++) {
        if (used + strlen(*words) + 4 > room)
            return false;
        used += (size_t)snprintf(line + used, room - used, "%s'", used ? " " : "");
        for (const char *c = *words; *c; c++) {
            if (used + 8 > room)
                return false;
            if (*c == '\'')
                used += (size_t)snprintf(line + used, room - used, "'\\''");
            else
                line[used++] = *c;
        }
        line[used++] = '\'';
        line[used] = 0;
    }
    return true;
}

static int submit_job(uint32_t count, char **words)
{
    char line[CLUSTER_JOB_SUBMIT_COMMAND_MAX + 1];
    uint64_t job;
    handle_t cluster = cluster_handle();
    if (!cluster)
        return 1;
    /* One word is a command line already: run --job 'wc /etc/x > /tmp/y'. */
    if (!words[1] ? (size_t)snprintf(line, sizeof line, "%s", words[0]) >= sizeof line
                  : !quote_words(words, line, sizeof line))
        return fail("a job's command line has at most %u bytes", CLUSTER_JOB_SUBMIT_COMMAND_MAX);
    err_t err = cluster_job_submit(cluster, os_deadline_ms(30000), count, line, &job);
    if (err)
        return fail("%s", words_for(err));
    printf("job %llu; `placements` shows where it runs\n", (unsigned long long)job);
    return 0;
}

int run_run(int argc, char **argv)
{
    uint64_t count = 1;
    bool job = false;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--job") == 0)
            job = true;
        else if (strcmp(argv[i], "-n") == 0 && i + 1 < argc && parse_number(argv[i + 1], 1, 64, &count))
            i++;
        else
            return usage();
    }
    if (i >= argc)
        return usage();
    return job ? submit_job((uint32_t)count, argv + i) : run_placed((uint32_t)count, argv + i);
}
