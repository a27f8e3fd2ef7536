/* Processes: an address space, a handle table, threads, and how it ended. Kernel lock held. */
#pragma once

#include <abi/info.h>
#include <kernel/arch.h>
#include <kernel/memory.h>
#include <kernel/object.h>

#define PROCESS_NAME_MAX 31u

struct process {
    struct object object;
    struct arch_aspace aspace;
    struct handle_table handles;
    struct list regions; /* struct region.node, by rising address */
    struct region *region_hint;
    uint64_t map_hint;          /* where the search for free addresses begins */
    struct list threads;        /* struct thread.process_node */
    struct list frozen_threads; /* struct thread.wait_node: stopped on their way to user mode */
    uint32_t thread_count;      /* created and not yet freed by the reaper */
    uint32_t live_threads;      /* started and not ended */
    uint32_t priority_max;
    bool ending;    /* no new threads, mappings or handles */
    bool started;   /* some thread of it was started */
    bool ended;     /* torn down; `cause` is final */
    bool vital;     /* its end is the end of the node */
    bool exit_kept; /* its exit record holds a reference until it is read */
    bool has_aspace;
    bool given_lock; /* was granted the handle of a lock by who made it: acts under it */
    bool frozen;     /* no thread of it comes back to user mode */
    uint32_t cause;  /* EXIT_RUNNING until it is torn down */
    uint32_t cause_pending, code;
    uint64_t table_bytes; /* page tables below the root */
    uint64_t fault_address, fault_ip;
    uint64_t ended_cpu_ns;    /* of threads that are gone */
    struct handle_ref faults; /* where its faults are told; object NULL: nowhere */
    struct list watches;      /* struct watch.subject_node */
    struct list reap_node;
    void (*on_end)(struct process *p, void *context); /* set by whoever ties sessions to it; called once, at its end */
    void *on_end_context;
    char name[PROCESS_NAME_MAX + 1];
};

err_t process_create(struct budget *b, const char *name, uint32_t priority_max, struct process **out);
/* Ends it with that cause, if it has not ended; returns at once. */
void process_kill(struct process *p, uint32_t cause, uint32_t code);
/* Stops its threads where they cannot act: on their way back to user mode. */
void process_freeze(struct process *p);
void process_thaw(struct process *p);
/* The last of its running threads has ended: hands it to the reaper. */
void process_threads_gone(struct process *p);
void process_finish(struct process *p);    /* for the reaper: after its handles and regions */
void process_exit_read(struct process *p); /* its end has been read: the record may go */
static inline struct process *object_process(struct object *o)
{
    return container_of(o, struct process, object);
}

/* A Notification signalled once, when a process or thread ends. Freed when either side goes. */
struct notification;
struct watch {
    struct list subject_node;
    struct list notification_node;
    struct notification *notification;
    uint64_t bits;
};
err_t watch_add(struct list *subject_watches, struct notification *n, uint64_t bits);
void watch_fire_all(struct list *subject_watches);
void watch_free(struct watch *w);
