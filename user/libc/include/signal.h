/* newlib's, with SA_RESTART: calls are not restarted by themselves; the flag is accepted for sources that set it. */
#pragma once
#include_next <signal.h>
#ifndef SA_RESTART
#define SA_RESTART 0x10000000
#endif
