/* Between the files of the C library's system layer. */
#pragma once

#include <abi/file.h>
#include <abi/types.h>
#include <os/sync.h>
#include <stdint.h>
#include <sys/types.h>

#define FDS_MAX        256
#define PATH_MAX_BYTES 1024

/* --- errors --- */
int libc_errno(err_t err);
/* Sets errno and returns -1; 0 when err is E_OK. */
int libc_result(err_t err);

/* --- descriptors: several may share one open file, which is an Endpoint of the file service with its own position ---
 */
struct open_file {
    uint32_t refs;
    handle_t handle;
    uint32_t kind;                /* enum file_kind; 0: inherited, not asked yet */
    int flags;                    /* O_ACCMODE | O_APPEND | O_NONBLOCK */
    int socket;                   /* SOCK_STREAM or SOCK_DGRAM when it is one */
    uint64_t receive_ms, send_ms; /* SO_RCVTIMEO, SO_SNDTIMEO; 0: none */
    uint64_t directory_position;
};

void fd_start(void);
/* A held reference, to be given back with file_release; NULL with errno EBADF. */
struct open_file *file_of(int fd);
void file_release(struct open_file *file);
/* A descriptor for a new open file, at least `lowest`; takes the handle over, also on failure (-1 and errno). */
int fd_open(handle_t handle, uint32_t kind, int flags, int lowest);
uint32_t file_kind(struct open_file *file);
bool fd_closes_on_exec(int fd);
void fd_set_close_on_exec(int fd, bool on);
/* Until when a call on this file may wait: DEADLINE_NEVER, or now plus its time-out. */
uint64_t file_deadline(uint64_t timeout_ms);
/* For O_NONBLOCK: E_OK if `events` (POLL_*) hold now, else E_AGAIN. */
err_t file_ready(struct open_file *file, uint32_t events);

/* --- paths --- */
void path_start(void);
const char *path_cwd(void);
/* Makes `path` absolute and takes . and .. out. -1 and errno when it is too long or empty. */
int path_absolute(const char *path, char absolute[PATH_MAX_BYTES]);
handle_t libc_names(void);
/* The Endpoint behind /svc/NAME; the caller's. */
err_t libc_service(const char *name, handle_t *handle_out);

/* --- time --- */
uint64_t deadline_of(clockid_t clock, const struct timespec *until);

/* --- signals --- */
void signal_raise_pipe(void);

/* --- threads --- */
void libc_thread_start(void);
