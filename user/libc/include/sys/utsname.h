/* What this is. */
#pragma once

struct utsname {
    char sysname[32], nodename[64], release[32], version[64], machine[32];
};

int uname(struct utsname *name);
