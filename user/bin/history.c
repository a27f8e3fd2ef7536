/* history PREFIX CLIENT SECONDS: appends "CLIENT.N," to the keys PREFIX/0, PREFIX/1, ... under a client session, as
 * fast as answers come, and prints what it did, an event a line, for tools/history.py to check. A call whose outcome is
 * unknown is sent again with the same sequence number until it is known: the tables apply it once.
 *
 *   {"p":"CLIENT","i":N,"t":"invoke","f":"append","k":"KEY","at":NS}     before the first sending
 *   ... "t":"ok" | "fail" | "info" ...                                    done | refused, never happened | not known
 */
#include <os/syscall.h>
#include <shoal/session.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_MS  2000u
#define KEYS_MAX 1000u

struct client {
    const char *prefix, *name;
    struct shoal_session session;
    uint64_t end_ns;
    uint32_t key, operation;
};

static bool time_is_up(const struct client *c)
{
    return shoal_now_ns() >= c->end_ns;
}

static void event(const struct client *c, const char *type)
{
    printf("{\"p\":\"%s\",\"i\":%u,\"t\":\"%s\",\"f\":\"append\",\"k\":\"%s/%u\",\"at\":%llu}\n", c->name, c->operation,
           type, c->prefix, c->key, (unsigned long long)shoal_now_ns());
    fflush(stdout);
}

static bool outcome_is_open(err_t err)
{
    return shoal_outcome(err) == SHOAL_UNKNOWN || err == E_NOT_DELIVERED;
}

/* Waits a moment on nothing in particular, so that a cluster without a leader is not asked thousands of times a second.
 */
static void pause_ms(uint32_t ms)
{
    uint32_t word = 0;
    (void)os_futex_wait(&word, 0, shoal_in_ms(ms));
}

static bool open_session(struct client *c)
{
    while (!time_is_up(c)) {
        err_t err = shoal_session_open(shoal_cluster(), shoal_in_ms(CALL_MS), &c->session);
        if (err == E_OK)
            return true;
        if (!outcome_is_open(err)) {
            fprintf(stderr, "history: no session: error %u\n", err);
            return false;
        }
        pause_ms(100);
    }
    return false;
}

/* Goes on until the outcome is known or the time is up, then for a while longer: an operation is left open only for
 * good cause. */
static err_t append(struct client *c, const char *key, const char *item)
{
    err_t err;
    uint64_t give_up = c->end_ns + 10 * 1000000000ull;
    do
        err = shoal_append(&c->session, shoal_in_ms(CALL_MS), key, item, strlen(item), NULL);
    while (outcome_is_open(err) && shoal_now_ns() < give_up);
    return err;
}

/* One operation; false when this client is to end. */
static bool operate(struct client *c)
{
    char key[64], item[48];
    c->operation++;
    snprintf(key, sizeof key, "%s/%u", c->prefix, c->key);
    snprintf(item, sizeof item, "%s.%u,", c->name, c->operation);
    event(c, "invoke");
    err_t err = append(c, key, item);
    if (err == E_OK) {
        event(c, "ok");
    } else if (err == E_FULL) {
        event(c, "fail");
        return ++c->key < KEYS_MAX;
    } else if (err == E_NO_SESSION) {
        event(c, "info"); /* an earlier sending may have been applied before the session ended */
        return open_session(c);
    } else {
        event(c, "info");
        return !outcome_is_open(err);
    }
    return true;
}

int main(int argc, char **argv)
{
    unsigned long seconds = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    if (seconds == 0 || strlen(argv[1]) > 40 || strlen(argv[2]) > 20) {
        fprintf(stderr, "history: usage: history PREFIX CLIENT SECONDS\n");
        return 2;
    }
    struct client c = {.prefix = argv[1], .name = argv[2]};
    c.end_ns = shoal_now_ns() + seconds * 1000000000ull;
    if (!open_session(&c))
        return 1;
    while (!time_is_up(&c) && operate(&c))
        ;
    return 0;
}
