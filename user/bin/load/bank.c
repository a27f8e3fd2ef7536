/* Accounts: transfers between two of them, and looking at all of them at once. The sum never changes. An account's
 * value tells the whole transfer that made it, "TAG;a2=95;a4=105". */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGINS   100u /* what an account holds that was never used */
#define THINK_MS 40u

struct bank {
    char keys[ACCOUNTS][KEY_ROOM];
    struct seen seen[ACCOUNTS];
};

static unsigned balance(const struct bank *b, uint32_t account)
{
    char word[8];
    if (!b->seen[account].revision)
        return BEGINS;
    snprintf(word, sizeof word, ";a%u=", account);
    const char *at = strstr(b->seen[account].value, word);
    return at ? (unsigned)strtoul(at + strlen(word), NULL, 10) : 0;
}

/* Each by itself, so they may be of different moments; that they are not is what the transaction finds out. */
static bool look_at_account(struct client *c, struct bank *b, uint32_t account)
{
    char group[KEY_ROOM];
    snprintf(group, sizeof group, "b/%u", c->generation);
    return look_at(c, group, account, b->keys[account], &b->seen[account]);
}

static void transfer(struct client *c, struct bank *b, uint32_t from, uint32_t to)
{
    struct steps s = {.used = 0};
    char value[VALUE_ROOM];
    uint32_t held;
    if (!look_at_account(c, b, from) || !look_at_account(c, b, to) || balance(b, from) == 0)
        return;
    unsigned amount = 1 + client_draw(c, balance(b, from));
    snprintf(value, sizeof value, "%s.%u;a%u=%u;a%u=%u", c->name, c->operation + 1, from, balance(b, from) - amount, to,
             balance(b, to) + amount);
    steps_unchanged(&s, b->keys[from], &b->seen[from]);
    steps_unchanged(&s, b->keys[to], &b->seen[to]);
    steps_put(&s, b->keys[from], value);
    steps_put(&s, b->keys[to], value);
    client_begin(
        c,
        ",\"f\":\"txn\",\"k\":\"b/%u\",\"if\":[{\"c\":\"is\",\"r\":%u,\"v\":%s},{\"c\":\"is\",\"r\":%u,\"v\":%s}],"
        "\"then\":[{\"r\":%u,\"v\":\"%s\"},{\"r\":%u,\"v\":\"%s\"}]",
        c->generation, from, json_value(&b->seen[from]).text, to, json_value(&b->seen[to]).text, from, value, to,
        value);
    (void)steps_told(c, &s, &held);
}

static void look_at_all(struct client *c, struct bank *b)
{
    struct steps s = {.used = 0};
    char comparisons[ACCOUNTS * (VALUE_ROOM + 32)] = "";
    uint32_t held;
    unsigned sum = 0;
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        if (!look_at_account(c, b, i))
            return;
        steps_unchanged(&s, b->keys[i], &b->seen[i]);
        sprintf(comparisons + strlen(comparisons), "%s{\"c\":\"is\",\"r\":%u,\"v\":%s}", i > 0 ? "," : "", i,
                json_value(&b->seen[i]).text);
        sum += balance(b, i);
    }
    client_begin(c, ",\"f\":\"txn\",\"k\":\"b/%u\",\"if\":[%s]", c->generation, comparisons);
    (void)steps_told(c, &s, &held);
    if (held && sum != ACCOUNTS * BEGINS)
        say("{\"t\":\"wrong\",\"words\":\"the accounts of b/%u held %u together\"}", c->generation, sum);
}

void bank_run(void *argument)
{
    struct client *c = argument;
    static struct bank banks[2];
    static uint32_t used;
    struct bank *b = &banks[__atomic_fetch_add(&used, 1, __ATOMIC_RELAXED)];
    while (client_goes_on(c, THINK_MS)) {
        for (uint32_t i = 0; i < ACCOUNTS; i++)
            snprintf(b->keys[i], sizeof b->keys[i], "b/%u/%u", c->generation, i);
        uint32_t from = client_draw(c, ACCOUNTS);
        if (client_draw(c, 100) < 25)
            look_at_all(c, b);
        else
            transfer(c, b, from, (from + 1 + client_draw(c, ACCOUNTS - 1)) % ACCOUNTS);
    }
}
