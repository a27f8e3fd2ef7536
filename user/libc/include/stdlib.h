/* newlib's, with the program's name. */
#pragma once
#include_next <stdlib.h>
const char *getprogname(void);
