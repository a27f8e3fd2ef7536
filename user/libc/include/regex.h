/* newlib's, which takes its types for granted. */
#pragma once
#include <sys/types.h>

/* After a blank line and a comment, so that it stays behind: it wants the types above. */
#include_next <regex.h>
