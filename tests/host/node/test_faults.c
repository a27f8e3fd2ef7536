/* Clients append under sessions while machines lose power, links are cut and log servers crash: nothing that was
 * acknowledged is lost, nothing is applied twice, and all replicas end equal. */
#include "lab.h"

#define SESSIONS_MAX 64u

/* One client a machine: a session, and numbers appended to the session's own key. */
struct client {
    uint64_t session; /* 0: to be opened */
    uint64_t number;  /* being appended, or next */
    bool waiting;
    uint64_t asked_ns;
};

struct record {
    uint64_t session, acknowledged;
};

static struct client clients[LAB_NODES];
static struct record records[SESSIONS_MAX];
static uint32_t record_count;

static void forget(uint32_t machine)
{
    clients[machine] = (struct client){0};
}

static void propose(uint32_t machine)
{
    struct client *c = &clients[machine];
    struct machine *m = &lab.machines[machine];
    char key[32], item[16];
    snprintf(key, sizeof(key), "s%llu", (unsigned long long)c->session);
    snprintf(item, sizeof(item), "%llu ", (unsigned long long)c->number);
    struct tables_op op = {.kind = TABLES_SESSION_OPEN, .session_open = {1}};
    if (c->session) {
        op = (struct tables_op){
            .kind = TABLES_KEY_APPEND,
            .key_append = {c->session, c->number, 1, {key, (uint32_t)strlen(key)}, {item, (uint32_t)strlen(item)}}};
    }
    m->answer = (struct lab_answer){.token = ++lab.next_token};
    c->waiting = node_propose(m->n, m->answer.token, &op) == E_OK;
    c->asked_ns = lab.now_ns;
}

static struct record *record_of(uint64_t session)
{
    for (uint32_t i = 0; i < record_count; i++) {
        if (records[i].session == session)
            return &records[i];
    }
    CHECK(record_count < SESSIONS_MAX);
    records[record_count].session = session;
    return &records[record_count++];
}

static void take_answer(uint32_t machine)
{
    struct client *c = &clients[machine];
    const struct tables_result *result = &lab.machines[machine].answer.result;
    c->waiting = false;
    if (result->err == E_UNKNOWN)
        return; /* asked again under the same number */
    if (!c->session && result->err == E_OK) {
        c->session = result->value;
        c->number = 1;
        record_of(c->session);
    } else if (result->err == E_OK) {
        record_of(c->session)->acknowledged = c->number++;
    } else {
        CHECK(result->err == E_NO_SESSION || result->err == E_FULL || result->err == E_RANGE);
        forget(machine);
    }
}

static void drive(uint32_t machine)
{
    struct client *c = &clients[machine];
    struct machine *m = &lab.machines[machine];
    if (!m->n)
        return;
    if (c->waiting && m->answer.done)
        take_answer(machine);
    else if (c->waiting && c->session && lab.now_ns - c->asked_ns > 2000 * MS)
        propose(machine); /* an impatient client asks twice */
    else if (!c->waiting)
        propose(machine);
}

static void fault(void)
{
    uint32_t a = random_below(&lab.random, 3), b = (a + 1 + random_below(&lab.random, 2)) % 3;
    switch (random_below(&lab.random, 6)) {
    case 0:
        lab_power_cut(a);
        forget(a);
        break;
    case 1:
        lab.cut[a][b] = true;
        break;
    case 2:
        lab.cut[a][b] = lab.cut[b][a] = true;
        break;
    case 3:
        if (lab.machines[a].n)
            lab_log_restart(a);
        break;
    case 4:
        lab.machines[a].log_stuck = !lab.machines[a].log_stuck;
        break;
    default:
        lab.loss_percent = random_below(&lab.random, 30);
    }
}

static void mend(void)
{
    memset(lab.cut, 0, sizeof(lab.cut));
    lab.loss_percent = 0;
    for (uint32_t i = 0; i < 3; i++) {
        lab.machines[i].log_stuck = false;
        if (!lab.machines[i].n)
            lab_power_on(i, false);
    }
}

/* The items of a session's key are 1, 2, 3 ... without gap or repetition, and none that was acknowledged is missing. */
static void check_record(const struct record *r)
{
    char key[32], text[TABLES_VALUE_MAX + 1] = "";
    struct tables_key_view view;
    snprintf(key, sizeof(key), "s%llu", (unsigned long long)r->session);
    if (tables_key(node_tables(lab.machines[0].n), (struct tables_text){key, (uint32_t)strlen(key)}, &view))
        memcpy(text, view.value, view.value_bytes);
    uint64_t expected = 1;
    for (char *at = strtok(text, " "); at; at = strtok(NULL, " "))
        CHECK_EQUAL(strtoull(at, NULL, 10), expected++);
    CHECK(expected > r->acknowledged);
    CHECK(expected <= r->acknowledged + 2);
}

static uint64_t run_seed(uint64_t seed)
{
    uint64_t acknowledged = 0;
    memset(clients, 0, sizeof(clients));
    memset(records, 0, sizeof(records));
    record_count = 0;
    lab_start(3, seed);
    lab.window_entries = 256;
    lab.delay_ms = 5;
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, true);
    CHECK(lab_until_members(7, 30000));
    for (int round = 0; round < 400; round++) {
        if (random_below(&lab.random, 20) == 0)
            fault();
        if (random_below(&lab.random, 40) == 0)
            mend();
        for (uint32_t i = 0; i < 3; i++)
            drive(i);
        lab_run(1 + random_below(&lab.random, 100));
    }
    mend();
    CHECK(lab_until_members(7, 60000));
    lab_check_equal(7);
    for (uint32_t i = 0; i < record_count; i++) {
        check_record(&records[i]);
        acknowledged += records[i].acknowledged;
    }
    lab_stop();
    return acknowledged;
}

static void test_faults(void)
{
    uint64_t acknowledged = 0;
    for (uint64_t seed = 1; seed <= 25; seed++) {
        printf("seed %llu\n", (unsigned long long)seed);
        fflush(stdout);
        acknowledged += run_seed(seed);
    }
    CHECK(acknowledged > 2000); /* it was not all waiting */
}

/* Seeds that once found something. */
static void test_kept_seeds(void)
{
    static const uint64_t kept[] = {1, 300};
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        run_seed(kept[i]);
}

int main(void)
{
    RUN(test_faults);
    RUN(test_kept_seeds);
    return 0;
}
