/* lwIP's view of the compiler and of this system. */
#pragma once

#include <limits.h>
#include <stdint.h>

#define LWIP_NO_CTYPE_H    1
#define LWIP_NO_UNISTD_H   1
#define LWIP_NO_INTTYPES_H 1
#define X8_F               "02x"
#define U16_F              "u"
#define S16_F              "d"
#define X16_F              "x"
#define U32_F              "u"
#define S32_F              "d"
#define X32_F              "x"
#define SZT_F              "zu"
#define SSIZE_MAX          LONG_MAX
typedef long ssize_t;

_Noreturn void port_assert_failed(const char *text, const char *file, int line);
uint32_t port_random(void);

#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(text) port_assert_failed(text, __FILE__, __LINE__)
#define LWIP_RAND()                port_random()
