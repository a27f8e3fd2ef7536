/* mmap: private memory, and private copies of files. */
#include <errno.h>
#include <os/memory.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libc.h"

static uint32_t vm_flags(int protection)
{
    return (protection & PROT_READ ? VM_READ : 0) | (protection & PROT_WRITE ? VM_WRITE : 0) |
           (protection & PROT_EXEC ? VM_EXEC : 0);
}

static int fill_from(int fd, char *to, size_t bytes, off_t offset)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(fd, to + done, bytes - done, offset + (off_t)done);
        if (got <= 0)
            return (int)got;
        done += (size_t)got;
    }
    return 0;
}

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    void *memory;
    if ((flags & (MAP_FIXED | MAP_SHARED)) || (protection & PROT_EXEC) || bytes == 0) {
        errno = bytes ? ENOTSUP : EINVAL;
        return MAP_FAILED;
    }
    if (libc_result(os_pages(bytes, &memory)))
        return MAP_FAILED;
    if ((!(flags & MAP_ANONYMOUS) && fill_from(fd, memory, bytes, offset)) ||
        (!(protection & PROT_WRITE) && mprotect(memory, bytes, protection))) {
        int error = errno;
        munmap(memory, bytes);
        errno = error;
        return MAP_FAILED;
    }
    return memory;
}

static uint64_t pages_up(size_t bytes)
{
    return (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

int munmap(void *at, size_t bytes)
{
    return libc_result(os_vm_unmap(os_process(), (uint64_t)at, pages_up(bytes)));
}

int mprotect(void *at, size_t bytes, int protection)
{
    return libc_result(os_vm_protect(os_process(), (uint64_t)at, pages_up(bytes), vm_flags(protection)));
}
