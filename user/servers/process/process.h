/* The process server: the table of this node's processes, and what is known of those not started yet. One thread
 * serves; reading an image through a caller's name space, which may be on a node that is gone, is another thread's
 * work. */
#pragma once

#include <abi/ids.h>
#include <abi/process.h>
#include <abi/startup.h>
#include <bundle/tree.h>
#include <idl/control.h>
#include <idl/process.h>
#include <os/serve.h>

#define CHILDREN_MAX     256u
#define PREPARATIONS_MAX 16u
#define WAITERS_MAX      256u
#define WATCHES_MAX      128u
#define STRINGS_MAX      (STARTUP_BYTES_MAX - 4096u)
#define BIT_CHILDREN     48u /* a child's end sets bit (its index modulo this) */
#define BIT_LOADED       (1ull << 50)
#define BIT_PLACED       (1ull << 51)
#define BIT_STOP         (1ull << 52)

enum child_state { CHILD_FREE = 0, CHILD_PREPARING, CHILD_LOADING, CHILD_RUNNING, CHILD_ENDED };

struct child {
    uint8_t state;
    bool attached;          /* ends when its owner's handle is gone */
    bool owned;             /* the handle that `prepare` gave is still somewhere */
    bool keep;              /* nobody owns it, but its end is kept for whoever asks (found again after a restart) */
    bool killed;            /* while it was being loaded */
    uint32_t serial;        /* of its process id, and label of its Budget */
    uint32_t kernel_serial; /* of its Process, since it runs: what the tables of the cluster know it by */
    uint32_t cause, code;
    uint64_t detail;
    uint64_t owner_node, job;
    uint64_t job_fence; /* of its placement; its low half is in the Budget's label, for the next process server */
    uint32_t job_instance;
    uint64_t memory_bytes; /* its Budget */
    uint32_t priority;
    handle_t budget, process;
    struct preparation *preparation; /* until it runs */
    char command[64];
};

/* What `arguments` and `give` have told. */
struct preparation {
    bool used;
    uint32_t argc, envc;
    uint32_t taken; /* strings so far: argc, then envc, then the directory */
    uint32_t arguments_bytes, environment_bytes, bytes;
    handle_t handles[STARTUP_HANDLES];
    char path[PROCESS_PREPARE_PATH_MAX + 1];
    char strings[STRINGS_MAX];
};

/* A program's file, ready to be mapped. */
struct image {
    handle_t memory;
    uint64_t offset; /* in the Memory */
    const void *bytes;
    uint64_t length;
};

struct process_server_state {
    handle_t endpoint, notification, jobs_budget, bundle_memory;
    struct bundle_tree bundle;
    uint32_t next_serial, node;
    bool restarted;
    struct child children[CHILDREN_MAX];
    struct preparation preparations[PREPARATIONS_MAX];
};

extern struct process_server_state server_state;

/* Badges: 0 the process service; index + 1 a child's owner; the same with BADGE_FOUND somebody who found it by number.
 */
#define BADGE_FOUND (1ull << 32)

/* children.c */
struct child *child_make(const char *path, uint32_t flags, uint64_t owner_node);
uint32_t child_index(const struct child *c);
struct child *child_by_serial(uint32_t serial);
uint64_t child_id(const struct child *c);
uint32_t own_node(void); /* 0: not known yet */
err_t child_kill(struct child *c, uint32_t code);
/* Its Process has ended, or it never came to run. */
void child_ended(struct child *c, uint32_t cause, uint32_t code, uint64_t detail);
void child_forget_if_unwanted(struct child *c);
void child_owner_gone(struct child *c);
/* Looks which of the children that share these bits have ended. */
void children_check(uint64_t bits);
/* The label of its Budget below `jobs`. */
uint64_t child_label(const struct child *c);
/* The child of a placement, by its fence. */
struct child *child_by_fence(uint64_t fence);
/* Takes over what an earlier process server of this node left running. */
void children_recover(void);

/* words.c: the strings of `arguments`. */
err_t words_append(struct preparation *p, const char *strings, uint32_t bytes, uint32_t argc, uint32_t envc);

/* start.c */
err_t child_start(struct child *c, const struct image *image);
/* The bundle's file at this path, if it has one. */
bool bundle_image(const char *path, struct image *image_out);
void preparation_free(struct child *c);

/* loader.c: reads an image through the child's own name space, in a thread of its own; then BIT_LOADED. */
err_t loader_start(void);
err_t loader_request(struct child *c, handle_t reply);
void loader_finished(void);

/* services.c: what the supervisor runs. Rows from `position` on, at most `room`, which is more than one answer of it
 * has. */
uint32_t services_rows(uint64_t position, struct process_row *rows, uint32_t room, uint64_t *next_out);
err_t services_number(uint64_t kernel_id, uint64_t *id_out);

/* waiters.c */
err_t waiter_add(struct child *c, struct request *r);
err_t watch_add(struct child *c, handle_t notification, uint64_t bits);
void waiters_tell(struct child *c);
void waiters_drop_cancelled(void);

/* jobs.c: placements of the cluster, and reports on them. */
void jobs_start(void);
void jobs_placed(void);
void jobs_stop(void);
void jobs_adopt(void);     /* children of an earlier process server that are jobs */
void jobs_try_again(void); /* there is room for a child again: a placement may wait for it */
void jobs_report(const struct child *c, uint32_t state);

extern const struct process_server process_handlers;
extern const struct control_server control_handlers;
