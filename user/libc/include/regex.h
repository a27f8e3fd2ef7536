/* newlib's, which takes its types for granted. */
#pragma once
#include_next <regex.h>
#include <sys/types.h>
