/* What came of a call. Every function of these headers returns an err_t: E_OK, or why not (abi/errno.def).
 *
 * What is asked of the cluster is proposed to all of it, and three things can come of a proposal:
 *
 *   done      E_OK. It is committed: no failure of a minority of the nodes undoes it.
 *   refused   It was not done, and never will be. What stood before stands.
 *   unknown   It may have been done, or may yet be: no answer came in time. Look before trying again, or use what can
 * be sent twice: a session (session.h), or a comparison (txn.h, and the revisions of keys.h).
 *
 * Functions that only read never say `unknown`: they say E_TIMED_OUT, and nothing has happened.
 *
 * All functions of <shoal/...> may be called from any thread; each waits, at most until its deadline (deadline.h), and
 * holds up the calling thread alone. None may be called from a signal handler. None allocates: memory is the caller's.
 */
#pragma once

#include <abi/types.h>

enum shoal_outcome { SHOAL_DONE = 0, SHOAL_REFUSED = 1, SHOAL_UNKNOWN = 2 };

/* Which of the three `err`, that a function which changes something returned, stands for. */
enum shoal_outcome shoal_outcome(err_t err);

/* The error in words, without a full stop. Never NULL; the text is constant. */
const char *shoal_error_text(err_t err);
