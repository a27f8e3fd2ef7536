/* What the core says and is told, as text: ids, roles, configurations, entries and messages. */
#pragma once

#include <raft/raft_wire.h>

#include "json.h"

/* An id is the number of its node; where the log has another number than the node it is "NODE.LOG". */
void speech_id(struct text *t, struct raft_id id, bool quoted);
const char *speech_read_id(const struct json *value, struct raft_id *id_out); /* what is wrong; NULL: nothing */

const char *speech_role(enum raft_role role);
const char *speech_message_type(uint32_t type);

/* voters=(1 2 3)&&(1 2) learners=(4) learners_next=(5) autoleave */
void speech_conf(struct text *t, const struct raft_conf *conf);
const char *speech_read_conf(const struct json *value, struct raft_conf *conf_out); /* may be empty: "" */
/* "v1 l2 r3": voter, learner, removed; ids as above. */
const char *speech_read_changes(const struct json *value, struct raft_conf_change *change_out);

void speech_entry(struct text *t, const struct raft_entry *entry);
/* Data is copied into `payload`, which entry_out then points to. */
const char *speech_read_entry(const struct json *value, uint8_t *payload, struct raft_entry *entry_out);

/* A message going out of `r`; chunk: the bytes of a snapshot's part. */
void speech_message(struct text *t, const struct raft *r, const struct raft_message *m, const void *chunk);
/* A message as bytes of the wire, made with the core's own encoder. */
const char *speech_read_message(const struct json *value, uint64_t cluster, void *to, size_t room, size_t *bytes_out);
