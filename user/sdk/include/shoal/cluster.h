/* The way to the cluster: a handle to this node's cluster service. What it permits was decided by who started the
 * program (the shell's `allow`); what it does not permit is refused with E_NO_RIGHT by every function. */
#pragma once

#include <abi/cluster.h>
#include <shoal/deadline.h>
#include <shoal/outcome.h>

/* The handle that this program was given when it started; HANDLE_NONE if none was. It stays the program's for as long
 * as it runs and must not be closed. */
handle_t shoal_cluster(void);

/* Waits until this node is a member and what is asked of the cluster can be done.
 *   E_TIMED_OUT   it is not, by the deadline; shoal_cluster_status() says what it waits for */
err_t shoal_cluster_wait(handle_t cluster, uint64_t deadline);

/* How this node and the cluster are, as this node knows it: answered here, also without a quorum.
 *   E_TIMED_OUT, E_NO_RIGHT */
err_t shoal_cluster_status(handle_t cluster, uint64_t deadline, struct cluster_status *status_out);

/* A handle that permits only these classes (abi/cluster.h), and keys, locks and names only below `prefix`, which must
 * begin with this handle's own prefix. For a program to be started, or for a part of this one. The new handle is the
 * caller's to close. E_NO_RIGHT    more than `cluster` itself permits E_TOO_LONG    the prefix has more than
 * CLUSTER_PREFIX_MAX bytes E_NO_MEMORY   the Budget is used up */
err_t shoal_cluster_narrow(handle_t cluster, uint64_t deadline, uint32_t classes, const char *prefix,
                           handle_t *narrowed_out);

/* What a handle permits: enum cluster_class, and the prefix, which needs CLUSTER_PREFIX_MAX + 1 bytes of room. */
err_t shoal_cluster_permits(handle_t cluster, uint64_t deadline, uint32_t *classes_out, char *prefix_out);
