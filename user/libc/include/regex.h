/* newlib's, which takes its types for granted. */
#pragma once
#include <sys/types.h>
#include_next <regex.h>
