/* What the operations of abi/idl/cluster.msg share: a rule for each, and how an answer is made. */
#pragma once

#include <abi/cluster.h>
#include <idl/cluster_codec.h>

#include "cluster.h"
#include "text.h"

#define ROWS_MAX 3900u

/* What is done for one operation, as its request goes through its phases. What it never comes to is NULL. */
struct service_op {
    void (*begin)(struct request *r);                        /* it is new: answer it, or give it another phase */
    void (*read)(struct request *r, const struct tables *t); /* it may read now */
    void (*finish)(struct request *r,
                   const struct tables_result *result); /* applied without an error. NULL: no results */
    void (*refused)(struct request *r);                 /* its proposal had an error; that is answered afterwards */
    void (*recheck)(struct request *r);                 /* in each round, while it is PHASE_WAITING */
};

/* One a file of operations. */
extern const struct service_op service_status_op, service_nodes_op, service_raft_op, service_wait_state_op;
extern const struct service_op service_get_op, service_put_op, service_del_op, service_list_op, service_append_op,
    service_session_open_op;
extern const struct service_op service_put_owned_op, service_session_close_op, service_txn_op;
extern const struct service_op service_watch_next_op;
extern const struct service_op service_elected_set_op, service_elected_op, service_request_list_op;
extern const struct service_op service_lock_op, service_unlock_op, service_lock_list_op, service_guard_op;
extern const struct service_op service_name_register_op, service_name_lookup_op, service_node_service_op,
    service_node_offer_op;
extern const struct service_op service_job_submit_op, service_job_list_op, service_job_next_op, service_job_report_op,
    service_job_kill_op, service_job_stop_next_op;
extern const struct service_op service_recover_op, service_key_op;
extern const struct service_op service_permissions_op, service_narrow_op;

extern const struct service_op service_members_op;

/* Asks for leave to read; `begin` of the operations that only read. */
void service_ask_read(struct request *r);
/* False: it could not be proposed, and the request is answered. */
bool service_propose(struct request *r, struct tables_op *op);

/* service_names.c */
void service_found(struct request *r); /* PHASE_FOUND */
void service_unpublish(uint64_t number);

extern uint8_t service_rows[ROWS_MAX]; /* rows being gathered for an answer */

/* A text that ends with 0 and fills the room; what does not fit is left out. */
void service_copy_text(char *to, size_t room, const char *from, uint32_t bytes);

static inline struct tables_text text_of(const char *at, uint32_t bytes)
{
    return (struct tables_text){at, bytes};
}

/* Declares `in` and decodes it; answers a request that is malformed, and returns. */
#define DECODE(op, r)                                                                                                  \
    struct cluster_##op##_in in;                                                                                       \
    err_t decoded_ = cluster_##op##_in_decode(&(r)->in, &in);                                                          \
    if (decoded_ != E_OK) {                                                                                            \
        cluster_answer(r, decoded_, NULL);                                                                             \
        return;                                                                                                        \
    }

struct answer service_answer_begin(void);

/* Encodes with the generated encoder and answers. */
#define ANSWER(r, op, ...)                                                                                             \
    do {                                                                                                               \
        struct answer a_ = service_answer_begin();                                                                     \
        a_.msg.handles = a_.handles;                                                                                   \
        const struct cluster_##op##_out out_ = {__VA_ARGS__};                                                          \
        cluster_answer(r, cluster_##op##_out_encode(&out_, &a_.msg), &a_);                                             \
    } while (0)

#define ANSWER_HANDLE(r, op, ref, ...)                                                                                 \
    do {                                                                                                               \
        struct answer a_ = service_answer_begin();                                                                     \
        a_.msg.handles = a_.handles;                                                                                   \
        a_.refs[0] = ref;                                                                                              \
        const struct cluster_##op##_out out_ = {__VA_ARGS__};                                                          \
        cluster_answer(r, cluster_##op##_out_encode(&out_, &a_.msg), &a_);                                             \
    } while (0)
