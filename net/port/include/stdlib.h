/* lwIP's netif_find wants it; the network server does not use that, and the linker drops it. */
#pragma once

int atoi(const char *text);
