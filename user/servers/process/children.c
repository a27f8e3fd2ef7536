/* The table of children. */
#include "process.h"

#include <abi/cluster.h>
#include <idl/cluster.h>
#include <os/log.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <string.h>

#define MEMORY_LEAST (2ull << 20)
#define MEMORY_MOST  (32ull << 20)

uint32_t child_index(const struct child *c)
{
    return (uint32_t)(c - server_state.children);
}

struct child *child_by_serial(uint32_t serial)
{
    for (uint32_t i = 0; i < CHILDREN_MAX; i++)
        if (server_state.children[i].state != CHILD_FREE && server_state.children[i].serial == serial)
            return &server_state.children[i];
    return NULL;
}

uint64_t child_label(const struct child *c)
{
    return c->job_fence << 32 | c->serial;
}

/* One that an earlier process server started is known by half of its fence until the job is learned. */
struct child *child_by_fence(uint64_t fence)
{
    for (uint32_t i = 0; i < CHILDREN_MAX; i++) {
        struct child *c = &server_state.children[i];
        if (c->state != CHILD_FREE && c->job_fence &&
            (c->job ? c->job_fence == fence : c->job_fence == (uint32_t)fence))
            return c;
    }
    return NULL;
}

/* The node's number comes with joining the cluster; before, ids begin with 0. */
uint32_t own_node(void)
{
    struct cluster_status status;
    uint32_t length;
    if (server_state.node == 0 && os_startup_handle(STARTUP_CLUSTER) &&
        cluster_status(os_startup_handle(STARTUP_CLUSTER), os_deadline_ms(1000), &status, sizeof status, &length) ==
            E_OK &&
        length == sizeof status)
        server_state.node = status.node;
    return server_state.node;
}

uint64_t child_id(const struct child *c)
{
    return PROCESS_ID(own_node(), c->serial);
}

/* Unless told otherwise a program gets an eighth of what is left for programs, within reason. */
static uint64_t default_memory(void)
{
    struct budget_info jobs = {0};
    os_control(server_state.jobs_budget, OP_BUDGET_INFO, (uint64_t)&jobs, 0, 0, 0);
    uint64_t share = (jobs.limit_bytes - jobs.used_bytes) / 8 & ~(PAGE_BYTES - 1);
    return share < MEMORY_LEAST ? MEMORY_LEAST : share > MEMORY_MOST ? MEMORY_MOST : share;
}

static struct preparation *preparation_take(void)
{
    for (uint32_t i = 0; i < PREPARATIONS_MAX; i++) {
        struct preparation *p = &server_state.preparations[i];
        if (p->used)
            continue;
        memset(p, 0, offsetof(struct preparation, strings));
        p->used = true;
        return p;
    }
    return NULL;
}

/* A free entry; if there is none, that of an ended child that nobody owns. */
static struct child *child_take(void)
{
    struct child *spare = NULL;
    for (uint32_t i = 0; i < CHILDREN_MAX; i++) {
        struct child *c = &server_state.children[i];
        if (c->state == CHILD_FREE)
            return c;
        if (c->state == CHILD_ENDED && !c->owned && (!spare || c->serial < spare->serial))
            spare = c;
    }
    return spare;
}

struct child *child_make(const char *path, uint32_t flags, uint64_t owner_node)
{
    struct child *c = child_take();
    struct preparation *p = c ? preparation_take() : NULL;
    if (!p)
        return NULL;
    *c = (struct child){.state = CHILD_PREPARING,
                        .attached = flags & PROCESS_ATTACHED,
                        .owned = true,
                        .serial = server_state.next_serial++,
                        .owner_node = owner_node,
                        .memory_bytes = default_memory(),
                        .priority = PRIORITY_NORMAL,
                        .preparation = p};
    strcpy(p->path, path);
    const char *name = strrchr(path, '/');
    strncpy(c->command, name ? name + 1 : path, sizeof c->command - 1);
    return c;
}

void child_forget_if_unwanted(struct child *c)
{
    bool unreported = c->job_fence && !c->job; /* an earlier server's: whose job it was is not known yet */
    if (c->state == CHILD_ENDED && !c->owned && !c->keep && !unreported)
        c->state = CHILD_FREE;
}

static void close_kept(struct child *c)
{
    if (c->process)
        os_handle_close(c->process);
    if (c->budget) {
        os_control(c->budget, OP_BUDGET_DESTROY, 0, 0, 0, 0);
        os_handle_close(c->budget);
    }
    c->process = c->budget = HANDLE_NONE;
}

void child_ended(struct child *c, uint32_t cause, uint32_t code, uint64_t detail)
{
    c->state = CHILD_ENDED;
    c->cause = cause;
    c->code = code;
    c->detail = detail;
    preparation_free(c);
    close_kept(c);
    jobs_report(c, 3);
    waiters_tell(c);
    child_forget_if_unwanted(c);
    jobs_try_again();
}

err_t child_kill(struct child *c, uint32_t code)
{
    if (c->state == CHILD_RUNNING)
        return os_control(c->process, OP_PROCESS_KILL, EXIT_KILLED, code, 0, 0).err;
    c->killed |= c->state == CHILD_LOADING;
    if (c->state == CHILD_PREPARING)
        child_ended(c, EXIT_KILLED, code, 0);
    return E_OK;
}

void child_owner_gone(struct child *c)
{
    c->owned = false;
    if (c->state == CHILD_PREPARING) {
        preparation_free(c);
        c->state = CHILD_FREE;
    } else if (c->attached) {
        child_kill(c, 1 /* SIGHUP */);
    }
    child_forget_if_unwanted(c);
    jobs_try_again();
}

void children_check(uint64_t bits)
{
    for (uint32_t i = 0; i < CHILDREN_MAX; i++) {
        struct child *c = &server_state.children[i];
        struct process_info info = {0};
        if (!(bits >> i % BIT_CHILDREN & 1) || c->state != CHILD_RUNNING)
            continue;
        os_control(c->process, OP_PROCESS_INFO, (uint64_t)&info, 0, 0, 0);
        if (info.cause != EXIT_RUNNING)
            child_ended(c, info.cause, info.code, info.cause == EXIT_FAULT ? info.fault_address : 0);
    }
}

static void recover_one(handle_t budget, uint64_t label)
{
    struct sys_result r = os_control(budget, OP_BUDGET_PROCESS, 0, 0, 0, 0);
    struct child *c = r.err ? NULL : child_take();
    struct process_info info = {0};
    if (!c) { /* the end came between the making of its Budget and of its Process */
        os_control(budget, OP_BUDGET_DESTROY, 0, 0, 0, 0);
        os_handle_close(budget);
        return;
    }
    os_control((handle_t)r.value, OP_PROCESS_INFO, (uint64_t)&info, 0, 0, 0);
    *c = (struct child){.state = CHILD_RUNNING,
                        .keep = true,
                        .serial = (uint32_t)label,
                        .job_fence = label >> 32,
                        .budget = budget,
                        .process = (handle_t)r.value,
                        .kernel_serial = (uint32_t)info.serial};
    strncpy(c->command, info.name, sizeof info.name - 1);
    os_control(c->process, OP_PROCESS_WATCH, server_state.notification, 1ull << child_index(c) % BIT_CHILDREN, 0, 0);
}

void children_recover(void)
{
    uint64_t label = 0;
    uint32_t found = 0, serial = 0;
    for (;; found++) {
        struct sys_result r = os_control(server_state.jobs_budget, OP_BUDGET_NEXT, label, 0, 0, 0);
        struct budget_info info = {0};
        if (r.err)
            break;
        os_control((handle_t)r.value, OP_BUDGET_INFO, (uint64_t)&info, 0, 0, 0);
        if (info.label <= label)
            break;
        label = info.label;
        serial = (uint32_t)label > serial ? (uint32_t)label : serial;
        recover_one((handle_t)r.value, label);
    }
    if (serial >= server_state.next_serial)
        server_state.next_serial = serial + 1;
    if (found)
        os_log("process: found %u running processes again", found);
}
