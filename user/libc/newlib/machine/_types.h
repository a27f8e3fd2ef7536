/* Types wider than newlib's own choice for x86_64-elf, which keeps inode and user numbers in 16 bits. */
#ifndef SHOAL_MACHINE__TYPES_H
#define SHOAL_MACHINE__TYPES_H

#include <machine/_default_types.h>

typedef __uint64_t __ino_t;
#define __machine_ino_t_defined
typedef __uint64_t __dev_t;
#define __machine_dev_t_defined
typedef __uint32_t __uid_t;
#define __machine_uid_t_defined
typedef __uint32_t __gid_t;
#define __machine_gid_t_defined

#endif
