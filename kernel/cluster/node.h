/* A node of the cluster as a machine without a kernel: links, consensus, tables and log put together.
 *
 * Pure: time, datagrams, answers of the log and requests go in; datagrams, requests to the log, and answers come out
 * through the hooks. The kernel's cluster thread and the host's tests both run it. One thread; hooks must not call back
 * in, except node_tables() and the look-ups.
 *
 * One round of the mount: feed what has come; node_run(); node_output() until it gives none; sleep until
 * node_deadline().
 */
#pragma once

#include <abi/cluster.h>
#include <abi/logstore.h>
#include <link/link.h>
#include <tables/tables.h>

#define NODE_VOTERS_MAX   9u
#define NODE_REQUESTS_MAX 256u /* proposals of this node under way */
#define NODE_READS_MAX    256u
#define NODE_CALL_MAX     (72u * 1024u)
#define NODE_KEY_BYTES    32u

struct node_config {
    char cluster_name[32];
    uint8_t cluster_key[32]; /* that the machine booted with */
    uint8_t random[32];      /* fresh entropy: ids, and the secrets of links, are drawn from it */
    char name[32];
    uint64_t node_id[2], boot_id[2];
    uint32_t voter_count; /* of the shared configuration */
    uint32_t voter;       /* own place among them, from 1; 0: none of them */
    bool genesis;         /* a new cluster may be begun */
    uint32_t cpus;
    uint64_t heartbeat_ns, election_ns;
    uint16_t port;
    uint32_t window_entries; /* power of two */
    size_t window_bytes;     /* of entries kept in memory */
    size_t link_bytes;       /* that links may use */
};

/* What placement looks at; told by each node to the others. */
struct node_load {
    uint64_t free_bytes;
    uint32_t running, busy_percent;
};

struct node_hooks {
    void *context;
    void *(*take)(void *context, size_t bytes); /* any size up to window_bytes; zeroed or not; NULL: none */
    void (*give)(void *context, void *block, size_t bytes);
    /* A request to logstore. False: no room in the ring now; it is offered again at the next node_run(). */
    bool (*log_put)(void *context, const struct log_message *request, const void *data);
    /* The proposal `token` was applied, or will never be (E_NOT_DELIVERED). */
    void (*proposed)(void *context, uint64_t token, const struct tables_result *result);
    /* Reads of `token` may be done now, or (an error) there is no leader to ask. */
    void (*readable)(void *context, uint64_t token, err_t err);
    /* What an operator asked of the members, with node_members(), is done (E_OK), or not, and why. */
    void (*members_answered)(void *context, uint64_t token, err_t err, const char *words);
    void (*event)(void *context, const struct tables_event *event); /* of the tables */
    void (*replaced)(void *context); /* the tables were replaced by a snapshot: events were missed */
    /* Links for remote calls; `node` is a node number. A session that ends was begun. */
    void (*session_begin)(void *context, uint32_t node, const uint64_t boot[2]);
    void (*session_end)(void *context, uint32_t node);
    bool (*call_message)(void *context, uint32_t node, const uint8_t *message, size_t bytes); /* false: malformed */
    const uint8_t *(*call_next)(void *context, uint32_t node, size_t *bytes_out);             /* NULL: none to send */
    void (*call_sent)(void *context, uint32_t node);
    /* 32 bytes from the machine, fresh at each call; NULL or false: there are none. */
    bool (*entropy)(void *context, uint8_t bytes_out[32]);
    void (*say)(void *context, const char *line); /* to the kernel log */
};

struct node;

/* The key and the entropy are not kept where `config` is copied to; the caller wipes its own. */
err_t node_open(const struct node_config *config, const struct node_hooks *hooks, uint64_t now_ns, struct node **out);
void node_close(struct node *n);

/* net/peer: attached or not, and its word on the network (state of struct peer_shared). */
void node_network(struct node *n, bool attached, uint32_t peer_state, uint32_t ipv4);
/* logstore: attached anew with what it found; detached. */
void node_log_attach(struct node *n, enum log_state state);
void node_log_detach(struct node *n);
/* False: an answer that makes no sense; the log is detached. */
bool node_log_answer(struct node *n, const struct log_message *answer, const uint8_t *data);

void node_datagram(struct node *n, uint64_t now_ns, struct link_address from, const void *bytes, size_t count);
void node_load(struct node *n, const struct node_load *load);
void node_run(struct node *n, uint64_t now_ns);
size_t node_output(struct node *n, uint64_t now_ns, struct link_address *to_out, uint8_t *frame_out);
uint64_t node_deadline(struct node *n);

/* Proposes under this node's number; answered through hooks.proposed. Texts of *op are copied. E_FULL. It is sent again
 * until it is applied, at most once, or until node_forget(): then it may still be applied. E_NOT_DELIVERED: not a
 * member. */
err_t node_propose(struct node *n, uint64_t token, struct tables_op *op);
/* Asks for a linearizable read. E_FULL, E_NOT_DELIVERED. */
err_t node_read(struct node *n, uint64_t token);
void node_forget(struct node *n, uint64_t token);

/* Asks the leader to change the members: enum cluster_members of node `number`. Answered once, through
 * hooks.members_answered. E_FULL, E_NOT_DELIVERED. */
err_t node_members(struct node *n, uint64_t token, uint32_t action, uint32_t number);

struct tables *node_tables(struct node *n); /* NULL: there are none yet */
uint32_t node_number(const struct node *n); /* 0: not known yet */
/* Until when, by the own clock, the locks and sessions of this node are surely still its own. */
uint64_t node_lease_until(const struct node *n);
enum cluster_state node_state(const struct node *n);
void node_status(struct node *n, struct cluster_status *status_out);
/* The row of node `number`; false: there is none. */
bool node_row(struct node *n, uint32_t number, struct cluster_node *row_out);
/* ---- a recovery by hand: node_recover.c ---- */
enum recover_act { RECOVER_LOOK = 0, RECOVER_DO = 1, WIPE_LOOK = 2, WIPE_DO = 3 };
/* Says into `text` what is so and what would be lost, and, for the acts that do it, begins. E_OK: it may be done, or is
 * begun; E_CONFLICT: not here, or not now (the text says why). Consent is the caller's to ask for. */
err_t node_recover(struct node *n, enum recover_act act, char *to, size_t room, size_t *bytes_out);

/* ---- the cluster's key: node_key.c ---- */
/* Keeps a key for the change to it that is proposed next; its id. E_BUSY: what becomes of another is not known yet. */
err_t node_keys_offer(struct node *n, const uint8_t key[NODE_KEY_BYTES], uint64_t *id_out);
/* What became of the proposal is in the tables, or it could not be made. */
void node_keys_offer_decided(struct node *n);
uint64_t node_keys_now(const struct node *n); /* id of the one to be changed; 0: none */
/* By hand. E_EXISTS: it has that one; E_CONFLICT: the cluster's is another, and this node needs none; E_FULL. */
err_t node_keys_enter(struct node *n, const uint8_t key[NODE_KEY_BYTES]);
bool node_keys_newest(const struct node *n, uint8_t key_out[NODE_KEY_BYTES]); /* false: there is none */
/* Would the old one's end leave a majority of the voters? And which nodes have the new one. */
bool node_keys_majority(struct node *n, uint64_t *ready_out);
size_t node_keys_text(struct node *n, char *to, size_t room);

/* For people: role, log, members. */
size_t node_raft_text(struct node *n, char *to, size_t room);
