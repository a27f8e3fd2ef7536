/* The algebra of configurations and the arithmetic of quorums. */
#include "cluster.h"

#define ID(n) ((struct raft_id){n, 100 + (n)})

static struct raft_conf voters(uint32_t count)
{
    struct raft_conf conf = {.count = count};
    for (uint32_t i = 0; i < count; i++)
        conf.members[i] = (struct raft_member){ID(i + 1), RAFT_VOTER};
    return conf;
}

static err_t change(struct raft_conf *conf, uint32_t mode, uint32_t count, const struct raft_change *changes)
{
    struct raft_conf_change one = {.mode = mode, .count = count};
    struct raft_conf next;
    memcpy(one.changes, changes, count * sizeof(*changes));
    uint8_t bytes[RAFT_CHANGE_BYTES_MAX];
    struct raft_conf_change back;
    CHECK_EQUAL(raft_conf_change_decode(bytes, raft_conf_change_encode(&one, bytes), &back), E_OK);
    err_t err = raft_conf_apply(conf, &back, &next, NULL);
    if (err == E_OK)
        *conf = next;
    return err;
}

static err_t change_one(struct raft_conf *conf, uint32_t mode, uint32_t op, uint32_t n)
{
    struct raft_change one = {op, ID(n)};
    return change(conf, mode, 1, &one);
}

/* "1 2 3 | 1 2 4 / 5 / 6": voters, old voters, learners, learners next. */
static const char *text_of(const struct raft_conf *conf)
{
    static char text[256];
    const uint32_t flags[4] = {RAFT_VOTER, RAFT_VOTER_OLD, RAFT_LEARNER, RAFT_LEARNER_NEXT};
    size_t at = 0;
    for (uint32_t f = 0; f < 4; f++) {
        if (f > 0)
            at += (size_t)snprintf(text + at, sizeof(text) - at, "%s", f == 1 ? "|" : "/");
        for (uint32_t i = 0; i < conf->count; i++)
            if ((conf->members[i].flags & flags[f]) != 0)
                at += (size_t)snprintf(text + at, sizeof(text) - at, "%d", (int)conf->members[i].id.node);
    }
    return text;
}

static void test_simple(void)
{
    struct raft_conf conf = voters(1);
    CHECK_EQUAL(change_one(&conf, RAFT_CHANGE_SIMPLE, RAFT_ADD_VOTER, 2), E_OK);
    CHECK_STRING(text_of(&conf), "12|//");
    CHECK_EQUAL(change_one(&conf, RAFT_CHANGE_SIMPLE, RAFT_ADD_LEARNER, 3), E_OK);
    CHECK_STRING(text_of(&conf), "12|/3/");
    CHECK_EQUAL(change_one(&conf, RAFT_CHANGE_SIMPLE, RAFT_ADD_VOTER, 3), E_OK);
    CHECK_STRING(text_of(&conf), "123|//");
    CHECK_EQUAL(change_one(&conf, RAFT_CHANGE_SIMPLE, RAFT_ADD_LEARNER, 1), E_OK); /* demoted */
    CHECK_STRING(text_of(&conf), "23|/1/");
    CHECK_EQUAL(change_one(&conf, RAFT_CHANGE_SIMPLE, RAFT_REMOVE, 1), E_OK);
    CHECK_EQUAL(change_one(&conf, RAFT_CHANGE_SIMPLE, RAFT_REMOVE, 1), E_OK); /* again: nothing */
    CHECK_EQUAL(change_one(&conf, RAFT_CHANGE_SIMPLE, RAFT_REMOVE, 2), E_OK);
    CHECK_EQUAL(change_one(&conf, RAFT_CHANGE_SIMPLE, RAFT_REMOVE, 3), E_INVALID); /* nobody would be left */
    CHECK_STRING(text_of(&conf), "3|//");
}

static void test_simple_changes_one_voter(void)
{
    struct raft_conf conf = voters(3);
    const struct raft_change two[] = {{RAFT_ADD_VOTER, ID(4)}, {RAFT_REMOVE, ID(1)}};
    CHECK_EQUAL(change(&conf, RAFT_CHANGE_SIMPLE, 2, two), E_INVALID);
    const struct raft_change fine[] = {{RAFT_ADD_VOTER, ID(4)}, {RAFT_ADD_LEARNER, ID(5)}, {RAFT_ADD_LEARNER, ID(6)}};
    CHECK_EQUAL(change(&conf, RAFT_CHANGE_SIMPLE, 3, fine), E_OK);
    CHECK_STRING(text_of(&conf), "1234|/56/");
}

static void test_joint(void)
{
    struct raft_conf conf = voters(3);
    const struct raft_change changes[] = {{RAFT_ADD_VOTER, ID(4)}, {RAFT_REMOVE, ID(1)}, {RAFT_ADD_LEARNER, ID(2)}};
    CHECK_EQUAL(change(&conf, RAFT_CHANGE_LEAVE, 0, changes), E_INVALID); /* not joint */
    CHECK_EQUAL(change(&conf, RAFT_CHANGE_JOINT, 3, changes), E_OK);
    CHECK_STRING(text_of(&conf), "34|123//2"); /* a voter of the old half becomes learner when that is left */
    CHECK(conf.auto_leave && raft_conf_is_joint(&conf) && raft_conf_valid(&conf));
    CHECK_EQUAL(change(&conf, RAFT_CHANGE_JOINT, 3, changes), E_INVALID); /* twice */
    CHECK_EQUAL(change_one(&conf, RAFT_CHANGE_SIMPLE, RAFT_ADD_VOTER, 5), E_INVALID);
    CHECK_EQUAL(change(&conf, RAFT_CHANGE_LEAVE, 1, changes), E_INVALID);
    CHECK_EQUAL(change(&conf, RAFT_CHANGE_LEAVE, 0, changes), E_OK);
    CHECK_STRING(text_of(&conf), "34|/2/");
    CHECK(!conf.auto_leave);
    CHECK_EQUAL(change(&conf, RAFT_CHANGE_JOINT_STAY, 1, changes), E_OK);
    CHECK(!conf.auto_leave && raft_conf_is_joint(&conf));
}

static void test_limits(void)
{
    struct raft_conf conf = voters(RAFT_VOTERS_MAX);
    CHECK_EQUAL(change_one(&conf, RAFT_CHANGE_SIMPLE, RAFT_ADD_VOTER, 50), E_FULL);
    for (uint32_t n = RAFT_VOTERS_MAX + 1; n <= RAFT_MEMBERS_MAX; n++)
        CHECK_EQUAL(change_one(&conf, RAFT_CHANGE_SIMPLE, RAFT_ADD_LEARNER, n), E_OK);
    CHECK_EQUAL(change_one(&conf, RAFT_CHANGE_SIMPLE, RAFT_ADD_LEARNER, 90), E_FULL);
    uint8_t bytes[RAFT_CONF_BYTES_MAX];
    struct raft_conf back;
    size_t count = raft_conf_encode(&conf, bytes);
    CHECK_EQUAL(count, RAFT_CONF_BYTES_MAX);
    CHECK_EQUAL(raft_conf_decode(bytes, count, &back), E_OK);
    CHECK(raft_conf_equal(&conf, &back));
    CHECK_EQUAL(raft_conf_decode(bytes, count - 1, &back), E_BAD_MESSAGE);
    memcpy(bytes + 4, bytes + 24, 8); /* one twice, out of order */
    memcpy(bytes + 12, bytes + 32, 8);
    CHECK_EQUAL(raft_conf_decode(bytes, count, &back), E_BAD_MESSAGE);
}

static uint64_t random_state = 7;
static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(random_state >> 33) % limit;
}

/* The highest value that a majority reached, by trying each. */
static uint64_t slow_value(const struct raft_conf *conf, uint32_t flag, const uint64_t *values)
{
    uint64_t best = 0;
    uint32_t members = 0;
    for (uint32_t i = 0; i < conf->count; i++) {
        uint32_t reached = 0, count = 0;
        for (uint32_t j = 0; j < conf->count; j++) {
            count += (conf->members[j].flags & flag) != 0;
            reached += (conf->members[j].flags & flag) != 0 && values[j] >= values[i];
        }
        if (reached > count / 2 && values[i] > best)
            best = values[i];
        members = count;
    }
    return members == 0 ? UINT64_MAX : best;
}

static struct raft_conf random_conf(void)
{
    struct raft_conf conf = {.count = 1 + random_below(8)};
    for (uint32_t i = 0; i < conf.count; i++)
        conf.members[i] = (struct raft_member){ID(i + 1), 1 + random_below(4)};
    return conf;
}

static void test_quorum_against_the_slow_way(void)
{
    for (uint32_t round = 0; round < 100000; round++) {
        struct raft_conf conf = random_conf();
        uint64_t values[RAFT_MEMBERS_MAX];
        uint8_t votes[RAFT_MEMBERS_MAX];
        for (uint32_t i = 0; i < conf.count; i++) {
            values[i] = random_below(6);
            votes[i] = values[i] > 2 ? RAFT_VOTE_YES : values[i] > 1 ? RAFT_VOTE_NO : RAFT_VOTE_NONE;
        }
        uint64_t a = slow_value(&conf, RAFT_VOTER, values), b = slow_value(&conf, RAFT_VOTER_OLD, values);
        CHECK_EQUAL(raft_conf_quorum_value(&conf, values), a < b ? a : b);
        /* A vote is won exactly when a quorum has reached the value that means yes. */
        bool won = raft_conf_vote_result(&conf, votes) == RAFT_VOTE_WON;
        CHECK_EQUAL(won, (a < b ? a : b) > 2);
        /* It is lost exactly when it could not be won any more. */
        for (uint32_t i = 0; i < conf.count; i++)
            values[i] = votes[i] == RAFT_VOTE_NO ? 0 : 1;
        CHECK_EQUAL(raft_conf_vote_result(&conf, votes) == RAFT_VOTE_LOST, raft_conf_quorum_value(&conf, values) == 0);
    }
}

/* Any chain of changes keeps the configuration possible, and neighbours in it share a voter in any two quorums. */
static void test_random_chains(void)
{
    struct raft_conf conf = voters(3);
    uint32_t done = 0;
    for (uint32_t round = 0; round < 100000; round++) {
        struct raft_change changes[3];
        uint32_t count = random_below(4);
        for (uint32_t i = 0; i < count; i++)
            changes[i] = (struct raft_change){1 + random_below(3), ID(1 + random_below(7))};
        uint32_t mode = 1 + random_below(4);
        done += change(&conf, mode, mode == RAFT_CHANGE_LEAVE ? 0 : count, changes) == E_OK;
        CHECK(raft_conf_valid(&conf));
    }
    CHECK(done > 1000);
}

int main(void)
{
    RUN(test_simple);
    RUN(test_simple_changes_one_voter);
    RUN(test_joint);
    RUN(test_limits);
    RUN(test_quorum_against_the_slow_way);
    RUN(test_random_chains);
    return 0;
}
