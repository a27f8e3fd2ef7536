/* Pure calls: the algebra of quorums and configurations, without a node. Each adds its answer's parts to `out`, or says
 * what is wrong. */
#pragma once

#include "json.h"

const char *algebra_quorum_commit(const struct json *arguments, struct text *out);
const char *algebra_quorum_vote(const struct json *arguments, struct text *out);
const char *algebra_conf_simple(const struct json *arguments, struct text *out);
const char *algebra_conf_enter(const struct json *arguments, struct text *out);
const char *algebra_conf_leave(const struct json *arguments, struct text *out);
