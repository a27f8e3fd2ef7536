/* A client: its operations one after the other, and what it tells of them. */
#include "load.h"

#include <os/service.h>
#include <os/sync.h>
#include <os/syscall.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX 3000u

/* ---- drawing ---- */

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

uint32_t client_draw(struct client *c, uint32_t below)
{
    return (uint32_t)(next_random(&c->random) % below);
}

void client_init(struct client *c, const char *suffix, uint64_t seed)
{
    snprintf(c->name, sizeof c->name, "%s.%s", load.name, suffix);
    c->random = seed;
    for (const char *at = c->name; *at; at++)
        c->random = c->random * 31 + (unsigned char)*at;
}

/* ---- pace ---- */

/* Nobody wakes it before its time. */
void client_pause(uint32_t milliseconds)
{
    uint32_t word = 0;
    (void)os_futex_wait(&word, 0, os_deadline_ms(milliseconds));
}

bool client_goes_on(struct client *c, uint32_t think_ms)
{
    client_pause(client_draw(c, think_ms + 1));
    while (!load.generation && !load.ending)
        client_pause(BACK_OFF_MS);
    c->generation = load.generation;
    return !load.ending;
}

/* ---- telling ---- */

static void write_line(const char *line, size_t bytes)
{
    static struct os_mutex lock; /* lines are not mixed */
    os_mutex_lock(&lock);
    for (size_t done = 0; done < bytes;) {
        ssize_t count = write(1, line + done, bytes - done);
        if (count <= 0)
            break;
        done += (size_t)count;
    }
    os_mutex_unlock(&lock);
}

/* What does not fit into a line is an error of this program: it is cut, and whoever reads it sees that. */
static void finish_line(char *line, int used)
{
    size_t bytes = used < (int)LINE_MAX - 2 ? (size_t)used : LINE_MAX - 2;
    line[bytes++] = '\n';
    write_line(line, bytes);
}

void say(const char *format, ...)
{
    char line[LINE_MAX];
    va_list list;
    va_start(list, format);
    int used = vsnprintf(line, sizeof line - 2, format, list);
    va_end(list);
    finish_line(line, used);
}

static void tell(const struct client *c, const char *type, const char *parts, va_list list)
{
    char line[LINE_MAX];
    int used = snprintf(line, sizeof line, "{\"p\":\"%s\",\"i\":%u,\"t\":\"%s\",\"at\":%llu", c->name, c->operation,
                        type, (unsigned long long)os_clock(CLOCK_ID_MONOTONIC_NS));
    used += vsnprintf(line + used, sizeof line - (size_t)used - 3, parts, list);
    used += snprintf(line + used, sizeof line - (size_t)used - 1, "}");
    finish_line(line, used);
}

void client_begin(struct client *c, const char *parts, ...)
{
    va_list list;
    c->operation++;
    va_start(list, parts);
    tell(c, "invoke", parts, list);
    va_end(list);
}

void client_end(struct client *c, const char *type, const char *parts, ...)
{
    va_list list;
    va_start(list, parts);
    tell(c, type, parts, list);
    va_end(list);
}

bool never_ran(err_t err)
{
    return err == E_NOT_DELIVERED || err == E_FULL;
}

void client_failed(struct client *c, err_t err)
{
    if (never_ran(err))
        client_end(c, "fail", ",\"done\":false,\"err\":%u", err);
    else
        client_end(c, "info", ",\"err\":%u", err);
    client_pause(BACK_OFF_MS);
}

struct json_value json_value(const struct seen *s)
{
    struct json_value v;
    if (s->revision)
        snprintf(v.text, sizeof v.text, "\"%s\"", s->value);
    else
        strcpy(v.text, "null");
    return v;
}

/* ---- reading ---- */

err_t look(const char *key, struct seen *out)
{
    uint32_t length = 0;
    err_t err = cluster_get(load.cluster, os_deadline_ms(CALL_MS), key, &out->revision, out->value,
                            sizeof out->value - 1, &length);
    out->value[err ? 0 : length] = 0;
    if (err == E_NOT_FOUND)
        out->revision = 0;
    return err == E_NOT_FOUND ? E_OK : err;
}

bool look_at(struct client *c, const char *group, uint32_t number, const char *key, struct seen *out)
{
    client_begin(c, ",\"f\":\"txn\",\"k\":\"%s\"", group);
    err_t err = look(key, out);
    if (err)
        client_failed(c, err);
    else
        client_end(c, "ok", ",\"n\":1,\"if\":[{\"c\":\"is\",\"r\":%u,\"v\":%s}]", number, json_value(out).text);
    return err == E_OK;
}
