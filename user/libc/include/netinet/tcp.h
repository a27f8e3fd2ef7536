/* Options of TCP sockets. */
#pragma once
#define TCP_NODELAY 1
