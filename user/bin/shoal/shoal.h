/* The cluster's and the machine's commands: one program that looks at the name it was called by, so that they share one
 * place in the bundle. */
#pragma once

#include <abi/cluster.h>
#include <abi/types.h>
#include <os/log.h>
#include <os/spawn.h>
#include <shoal/cluster.h>
#include <stdbool.h>

typedef int command_run(int argc, char **argv);

command_run txn_run, watch_run, sem_run, barrier_run, elect_run;
command_run help_run, nodes_run, status_run, raft_run, raft_by_hand_run, key_run, ps_run, kill_run, top_run, on_run,
    run_run, allow_run, lock_run, put_run, get_run, del_run, keys_run, log_run, service_run, reboot_run, poweroff_run,
    uname_run, hash_run, jobs_run;

/* Prints "NAME: ..." on standard error and returns 1. */
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints what the command expects and returns 2. */
int usage(void);
/* The name this command was called by. */
const char *command_name(void);

/* Words for an error; for a cluster call that came too early, what the cluster waits for. */
const char *words_for(err_t err);

/* cluster.c: HANDLE_NONE, after telling why, if there is no cluster service. */
handle_t cluster_handle(void);
bool cluster_status_read(struct cluster_status *out);
/* All nodes that are known, at most `room`; their number. 0 without a cluster. */
uint32_t cluster_nodes_read(struct cluster_node *nodes, uint32_t room);
/* The node's number for "3", "node3" or its name; 0 if there is none. */
uint32_t cluster_node_number(const char *word);
/* Deadline for one question to another node or to the quorum. */
uint64_t soon(void);

/* spawning.c: the process service of a node; the own one needs no cluster. */
err_t node_processes(uint32_t node, handle_t *service);

/* holders.c: the number, as `ps` shows it, of a process that the tables have; "1.?" when node 1 does not answer, "1.-"
 * when it has just ended. Valid until the next call. */
const char *holder_text(uint64_t kernel_id);

/* numbers.c */
bool read_number(const char *text, uint64_t *out);
/* The same within bounds, for which a reason is remembered. */
bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out);
/* What was wrong with the last number that was none, for usage(); "": nothing was. */
const char *parse_number_fault(void);
/* "2.17" */
bool parse_process_id(const char *text, uint64_t *out);
const char *size_text(uint64_t bytes);
const char *duration_text(uint64_t ns);

/* spawning.c: starts words[0] at a process service with this program's files and waits for it; what a shell would show
 * as its status. `where` names the node in messages. service: closed by this. lock: the program acts under it, and is
 * ended if it is lost; HANDLE_NONE: under none. */
int spawn_and_wait(handle_t service, const char *where, char **words, handle_t lock);
int run_here(char **words, handle_t lock); /* on this node */

/* lock_table.c */
int list_locks(handle_t cluster);
int list_waits(handle_t cluster);
