/* What the parts of load share: the clients, what they tell, and how outcomes are named. */
#pragma once

#include <abi/transaction.h>
#include <abi/types.h>
#include <idl/cluster.h>
#include <stdbool.h>

#define CALL_MS     3000u
#define BACK_OFF_MS 100u
/* Of each generation: r/G/N are registers, q/G/N queues, b/G/N the accounts of a bank, l/G/N locks, g/G/N their keys,
 * t/G/N places for tasks, s/G/ begins the keys whose names get a number. */
#define REGISTERS  4u
#define QUEUES     3u
#define ACCOUNTS   4u
#define LOCKS      2u
#define PLACES     4u
#define KEY_ROOM   32u
#define VALUE_ROOM 80u

/* A key as it was seen last. */
struct seen {
    uint64_t revision; /* 0: there was none */
    char value[VALUE_ROOM];
};

struct client {
    char name[40];
    uint32_t operation;  /* of the newest */
    uint32_t generation; /* of the keys that it works on */
    uint64_t random;
};

extern struct load {
    handle_t cluster;
    const char *name;             /* of this life of this node's clients */
    volatile uint32_t generation; /* 0: nothing was said yet, and nobody begins */
    volatile bool ending;
} load;

/* ---- client.c ---- */
void client_init(struct client *c, const char *suffix, uint64_t seed);
uint32_t client_draw(struct client *c, uint32_t below);
/* False: it is time to end. Waits a little, and for the first generation. */
bool client_goes_on(struct client *c, uint32_t think_ms);
void client_pause(uint32_t milliseconds);

/* One whole line. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The beginning of the client's next operation, told before anything is sent; `parts` is JSON from "f" on. */
void client_begin(struct client *c, const char *parts, ...) __attribute__((format(printf, 2, 3)));
/* Its end; `parts` is "" or begins with a comma. */
void client_end(struct client *c, const char *type, const char *parts, ...) __attribute__((format(printf, 3, 4)));
/* Its end with an error: it never ran, or nobody knows. */
void client_failed(struct client *c, err_t err);
bool never_ran(err_t err);

/* A value in JSON: "text", or null where there is none. */
struct json_value {
    char text[VALUE_ROOM + 2];
};
struct json_value json_value(const struct seen *s);

/* A linearizable read of one key. E_OK also where there is none. */
err_t look(const char *key, struct seen *out);
/* The same, told as an operation on register `number` of a group. False: it is not known. */
bool look_at(struct client *c, const char *group, uint32_t number, const char *key, struct seen *out);

/* ---- steps.c ---- */
struct steps {
    uint8_t bytes[1024];
    uint32_t used;
};
void steps_add(struct steps *s, struct txn_step head, const char *name, const char *value);
/* If the key is still as it was seen. */
void steps_unchanged(struct steps *s, const char *key, const struct seen *seen);
void steps_put(struct steps *s, const char *key, const char *value);
void steps_delete(struct steps *s, const char *key);
err_t steps_run(const struct steps *s, uint64_t *revision_out, uint32_t *held_out);
/* Runs them as the operation of the client that has begun, and tells its end. held_out: 1: it was done, 0: it was not,
 * or that is not known. */
err_t steps_told(struct client *c, const struct steps *s, uint32_t *held_out);

/* ---- one a kind of client: runs until it is time to end ---- */
void registers_run(void *client);
void reader_run(void *client);
void queues_run(void *client);
void bank_run(void *client);
void tasks_run(void *client);
void numbers_run(void *client);
void watch_run(void *client);
void locks_run(void *client);

/* ---- what is there in the end ---- */
void final_run(struct client *c, uint32_t generations);
