#include "fake.h"

#include <idl/cluster.h>
#include <os/log.h>
#include <os/service.h>
#include <os/syscall.h>

struct fake fake;
static const struct sending *script;
static uint32_t script_left;

void fake_begin(const struct sending *sendings, uint32_t count)
{
    fake = (struct fake){.now_ns = 1000};
    script = sendings;
    script_left = count;
}

/* lib/tables/src/keys.c: the newest number gets the answer it got, the next one is done, others are not. */
static err_t tables_append(uint64_t number)
{
    static err_t last_err;
    if (number == fake.last_number && number)
        return last_err;
    if (number != fake.last_number + 1)
        return E_RANGE;
    fake.last_number = number;
    last_err = fake.next_err;
    fake.next_err = E_OK;
    fake.appends += last_err == E_OK;
    return last_err;
}

err_t cluster_append(handle_t service, uint64_t deadline, uint64_t session, uint64_t sequence, const char *key,
                     const void *data, uint32_t data_length, uint64_t *revision_out)
{
    struct sending now = {true, E_OK};
    if (script_left > 0) {
        now = *script++;
        script_left--;
    }
    fake.sendings++;
    fake.now_ns += 1000000;
    err_t err = now.done ? tables_append(sequence) : E_OK;
    return now.answer ? now.answer : err;
}

err_t cluster_session_open(handle_t service, uint64_t deadline, uint64_t *session_out)
{
    *session_out = 7;
    return E_OK;
}

err_t cluster_session_close(handle_t service, uint64_t deadline, uint64_t session)
{
    return session == 7 ? E_OK : E_NO_SESSION;
}

uint64_t os_clock(enum clock_id clock)
{
    return fake.now_ns;
}

uint64_t os_deadline_ms(uint64_t ms)
{
    return fake.now_ns + ms * 1000000;
}

err_t os_futex_wait(const uint32_t *word, uint32_t expected, uint64_t deadline)
{
    fake.now_ns = deadline;
    return E_TIMED_OUT;
}

const char *os_error_text(unsigned err)
{
    return "";
}
