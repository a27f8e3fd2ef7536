/* logstore: the kernel's log on a disk. It finds the disk, says what is on it, and works the kernel's requests. */
#include "block_disk.h"
#include "serve.h"

#include <os/log.h>
#include <os/memory.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>

#include <string.h>

enum { DISKS_MAX = 8, SHARED_BYTES = sizeof(struct log_shared) + 2 * LOG_RING_BYTES };
enum { QUIET_MS = 5000 /* after so long without work the end of the log is noted in the superblock */ };

static struct store store;
static struct serve serve;
static struct log_shared *shared;
static handle_t from_kernel, to_kernel; /* Notifications */

static const char *configured(const struct startup *startup, const char *key)
{
    const char *line = (const char *)startup + startup->envv_offset;
    size_t length = strlen(key);
    for (uint32_t i = 0; i < startup->envc; i++, line += strlen(line) + 1)
        if (strncmp(line, key, length) == 0 && line[length] == '=')
            return line + length + 1;
    return NULL;
}

/* What was seen of a disk whose driver ended meanwhile means nothing: the supervisor starts this process anew. */
static _Noreturn void begin_again(const char *name)
{
    os_log("logstore: %s ended while its disk was looked at", name);
    os_exit(1, 1);
}

/* Probes the n-th disk of this machine. E_NOT_FOUND past the last. */
static err_t probe(uint32_t n, enum log_state *state_out)
{
    char name[] = "virtio_blk0";
    struct block_disk about;
    struct disk disk;
    handle_t endpoint;
    name[sizeof name - 2] = (char)('0' + n);
    err_t err = os_lookup(name, DEADLINE_NEVER, &endpoint);
    if (err != E_OK)
        return err;
    *state_out = LOG_ABSENT;
    if (block_disk_use(endpoint, &about, &disk) != E_OK)
        os_handle_close(endpoint);
    else if (!about.read_only)
        *state_out = store_probe(&store, &disk);
    if (block_disk_driver_ended())
        begin_again(name);
    return E_OK;
}

/* A disk with a log comes first, then a blank one, then one that was a log and is damaged. One that holds something
 * else is nobody's log disk. */
static int rank(enum log_state state)
{
    return state == LOG_VALID ? 3 : state == LOG_BLANK ? 2 : state == LOG_DAMAGED && !store.foreign ? 1 : 0;
}

static enum log_state find_disk(void)
{
    enum log_state state;
    uint32_t best = 0;
    int best_rank = 0;
    for (uint32_t n = 0; n < DISKS_MAX && probe(n, &state) == E_OK; n++) {
        if (rank(state) > best_rank) {
            best_rank = rank(state);
            best = n;
        }
    }
    if (best_rank == 0 || probe(best, &state) != E_OK)
        return LOG_ABSENT;
    return state;
}

static void wake_kernel(void *context)
{
    bool consumer = ring_must_wake_consumer(&serve.answers), producer = ring_must_wake_producer(&serve.requests);
    if (consumer || producer)
        os_signal(to_kernel, LOG_BIT_DATA);
}

static err_t wait_for_room(void *context)
{
    uint64_t bits;
    return os_wait(from_kernel, LOG_BIT_DATA, DEADLINE_NEVER, &bits);
}

static uint64_t new_epoch(void *context)
{
    uint64_t epoch = 0;
    if (os_control(os_startup_handle(STARTUP_SYSTEM), OP_SYSTEM_RANDOM, (uint64_t)&epoch, sizeof epoch, 0, 0).err !=
        E_OK)
        epoch = os_clock(CLOCK_ID_REALTIME_NS) ^ os_clock(CLOCK_ID_MONOTONIC_NS) << 20;
    return epoch;
}

static err_t make_rings(enum log_state state)
{
    struct os_memory memory;
    err_t err = os_memory_create(SHARED_BYTES, MEMORY_DMA, &memory);
    if (err != E_OK)
        return err;
    shared = memory.at;
    uint8_t *bytes = (uint8_t *)(shared + 1);
    shared->version = 1;
    shared->state = state;
    shared->disk_bytes = store.disk.bytes;
    ring_create(&shared->requests, LOG_RING_BYTES);
    ring_create(&shared->answers, LOG_RING_BYTES);
    ring_attach(&serve.requests, &shared->requests, bytes, LOG_RING_BYTES, true);
    ring_attach(&serve.answers, &shared->answers, bytes + LOG_RING_BYTES, LOG_RING_BYTES, false);
    err = os_create(os_budget(), OBJECT_NOTIFICATION, 0, 0, 0, &from_kernel);
    if (err == E_OK)
        err = os_create(os_budget(), OBJECT_NOTIFICATION, 0, 0, 0, &to_kernel);
    if (err == E_OK)
        err = os_control(os_startup_handle(STARTUP_SYSTEM), OP_SYSTEM_ATTACH_LOG, memory.handle, from_kernel, to_kernel,
                         state)
                  .err;
    return err;
}

static void work_for_ever(void)
{
    bool quiet = true; /* nothing was done since the end of the log was noted */
    uint64_t bits;
    while (!serve.stopped) {
        serve_work(&serve);
        if (serve.stopped || !ring_consumer_may_sleep(&serve.requests))
            continue;
        err_t err = os_wait(from_kernel, LOG_BIT_DATA, quiet ? DEADLINE_NEVER : os_deadline_ms(QUIET_MS), &bits);
        if (err == E_TIMED_OUT && store.open && store_note(&store) != E_OK)
            serve.stopped = true;
        quiet = err == E_TIMED_OUT;
    }
}

/* This kernel has no cluster service; nobody will ask anything. */
static _Noreturn void wait_for_ever(void)
{
    uint64_t bits;
    for (;;)
        os_wait(from_kernel, LOG_BIT_DATA, DEADLINE_NEVER, &bits);
}

_Noreturn void os_main(const struct startup *startup)
{
    static const char *const words[] = {"",
                                        "the log is valid",
                                        "the log disk is blank",
                                        "the log disk is damaged",
                                        "there is no log disk",
                                        "disk = none: the log is in memory only"};
    const char *disk = configured(startup, "disk");
    enum log_state state = disk && strcmp(disk, "none") == 0 ? LOG_NONE : find_disk();
    serve.store = &store;
    serve.state = state;
    serve.wake_kernel = wake_kernel;
    serve.wait_for_room = wait_for_room;
    serve.new_epoch = new_epoch;
    err_t err = make_rings(state);
    os_progress(words[state]);
    if (err == E_NOT_SUPPORTED)
        wait_for_ever();
    if (err == E_OK)
        work_for_ever();
    os_log("logstore: %s", err != E_OK ? os_error_text(err) : "the disk failed, or the kernel's rings are broken");
    os_exit(1, 1);
}
