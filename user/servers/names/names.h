/* The names server: everything it holds. One thread; a handler that has to wait keeps its Reply in a waiter. */
#pragma once

#include "memfs.h"
#include "pipe.h"
#include <bundle/tree.h>

#include <idl/file.h>
#include <idl/names.h>
#include <os/serve.h>

#define NAMES_FILES_MAX   1024u
#define NAMES_PIPES_MAX   128u
#define NAMES_WAITERS_MAX 256u
#define NAMES_POLLS_MAX   256u
#define NAMES_LINKS_MAX   64u

enum open_kind {
    OPEN_NONE = 0,
    OPEN_MEMORY,      /* index: memfs node */
    OPEN_PART,        /* index: bundle part */
    OPEN_BUNDLE_LIST, /* a directory of the bundle: path */
    OPEN_PIPE_READ,   /* index: pipe */
    OPEN_PIPE_WRITE,
    OPEN_NULL_DEVICE,
    OPEN_ZERO_DEVICE
};

/* An open file. Its endpoint's badge is its index + 1; badge 0 is the name space itself. */
struct open_file {
    uint8_t kind;
    uint8_t flags; /* enum open_flags */
    uint32_t index;
    uint64_t position;
    char path[BUNDLE_NAME_MAX + 1];
};

struct pipe_state {
    bool used, reader_open, writer_open;
    struct pipe pipe;
};

/* A caller whose answer is owed: a reader of an empty pipe or a writer to a full one. */
enum waiter_op { WAITER_NONE = 0, WAITER_READ, WAITER_READ_BULK, WAITER_WRITE, WAITER_WRITE_BULK };

struct waiter {
    uint8_t op;
    uint32_t pipe, count;
    uint32_t page; /* WAITER_WRITE: the data */
    handle_t reply;
    uint64_t order;
};

/* One registered `poll`: signalled once. */
struct poll {
    uint32_t file; /* index + 1; 0: free */
    uint32_t events;
    uint64_t bits;
    uint64_t serial; /* of the Notification: the same one polled again replaces the old entry */
    handle_t notification;
};

/* What a node of kind service or terminal stands for: a bound endpoint, or a service that is asked for when opened. */
struct link {
    bool used;
    handle_t endpoint;
    char service[32];
};

struct names {
    handle_t endpoint, notification;
    struct pages pages;
    struct bundle_tree bundle;
    uint32_t tmp; /* memfs node of /tmp */
    uint64_t order;
    struct open_file files[NAMES_FILES_MAX];
    struct pipe_state pipes[NAMES_PIPES_MAX];
    struct waiter waiters[NAMES_WAITERS_MAX];
    struct poll polls[NAMES_POLLS_MAX];
    struct link links[NAMES_LINKS_MAX];
    struct memfs fs;
};

extern struct names names;

/* Tags of memfs nodes of kind FILE_ENDPOINT that are built in; others are link numbers. */
#define TAG_NULL_DEVICE 1000u
#define TAG_ZERO_DEVICE 1001u

/* names.msg: tree.c. file.msg: file.c. */
extern const struct names_server tree_handlers;
extern const struct file_server file_handlers;

/* Makes /tmp, /dev and /svc, and an entry for each argument PATH=SERVICE. */
void tree_init(void);
void tree_add_service(const char *path, const char *service);

/* open.c */
struct open_file *open_of_badge(uint64_t badge);
/* A new open file and the handle to give away for it. */
err_t open_make(enum open_kind kind, uint32_t index, uint32_t flags, handle_t *handle_out, struct open_file **file_out);
/* The last handle with the badge is gone. */
void open_closed(uint64_t badge);

/* pipes.c */
err_t pipes_make(handle_t *read_end_out, handle_t *write_end_out);
err_t pipes_read(struct open_file *file, struct request *r, const struct file_read_in *in, struct file_read_out *out);
err_t pipes_write(struct open_file *file, struct request *r, const struct file_write_in *in,
                  struct file_write_out *out);
err_t pipes_read_bulk(struct open_file *file, struct request *r, uint64_t length, uint32_t *count_out);
err_t pipes_write_bulk(struct open_file *file, struct request *r, uint64_t length, uint32_t *written_out);
uint32_t pipes_ready(const struct open_file *file);
void pipes_end_closed(struct open_file *file);
/* Some callers have given up: lets go of those. */
void pipes_drop_cancelled(void);

/* polls.c */
err_t polls_add(uint32_t badge, const struct file_poll_in *in, struct request *r);
/* Tells whoever polls an end of this pipe what has become true. */
void polls_check_pipe(uint32_t pipe);
void polls_forget(uint32_t badge);

/* Room for one bulk transfer, for whoever is at work. */
extern uint8_t names_bulk[IPC_LENT_MAX];
