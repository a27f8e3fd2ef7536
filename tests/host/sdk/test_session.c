/* Appends are done once whatever is lost, and the three outcomes are told apart. */
#include "fake.h"

#include <shoal/session.h>
#include <test/check.h>

static struct shoal_session session;

static void begin(const struct sending *script, uint32_t count)
{
    fake_begin(script, count);
    CHECK_EQUAL(shoal_session_open(1, SHOAL_NEVER, &session), E_OK);
}

static err_t append(const char *data)
{
    return shoal_append(&session, shoal_in_ms(200), "key", data, strlen(data), NULL);
}

static void test_outcomes(void)
{
    CHECK_EQUAL(shoal_outcome(E_OK), SHOAL_DONE);
    CHECK_EQUAL(shoal_outcome(E_CONFLICT), SHOAL_REFUSED);
    CHECK_EQUAL(shoal_outcome(E_NOT_DELIVERED), SHOAL_REFUSED);
    CHECK_EQUAL(shoal_outcome(E_UNKNOWN), SHOAL_UNKNOWN);
    CHECK_EQUAL(shoal_outcome(E_INTERRUPTED), SHOAL_UNKNOWN);
}

static void test_one_after_the_other(void)
{
    begin(NULL, 0);
    CHECK_EQUAL(append("a"), E_OK);
    CHECK_EQUAL(append("a"), E_OK);
    CHECK_EQUAL(fake.appends, 2);
    CHECK_EQUAL(shoal_append(&session, SHOAL_NEVER, "key", "", SHOAL_APPEND_MAX + 1, NULL), E_TOO_LONG);
    CHECK_EQUAL(shoal_session_close(&session, SHOAL_NEVER), E_OK);
}

/* Done, but the answer is lost; then the call; then there is no leader. */
static void test_what_is_lost_is_sent_again(void)
{
    static const struct sending script[] = {{true, E_UNKNOWN}, {false, E_UNKNOWN}, {false, E_NOT_DELIVERED}};
    begin(script, 3);
    CHECK_EQUAL(append("a"), E_OK);
    CHECK_EQUAL(fake.appends, 1);
    CHECK_EQUAL(fake.sendings, 4);
}

static void test_unknown_at_the_deadline(void)
{
    static const struct sending lost[6] = {{true, E_UNKNOWN},        {false, E_UNKNOWN},
                                           {false, E_NOT_DELIVERED}, {false, E_NOT_DELIVERED},
                                           {false, E_NOT_DELIVERED}, {false, E_NOT_DELIVERED}};
    begin(lost, 6);
    CHECK_EQUAL(append("a"), E_UNKNOWN);
    CHECK_EQUAL(append("b"), E_BUSY);
    while (append("a") == E_UNKNOWN)
        ;
    CHECK_EQUAL(fake.appends, 1);
    CHECK_EQUAL(append("b"), E_OK);
    CHECK(fake.appends == 2 && fake.last_number == 2);
}

/* Never sent on: refused, and its number is used by the next. */
static void test_not_delivered(void)
{
    static const struct sending away[5] = {{false, E_NOT_DELIVERED},
                                           {false, E_NOT_DELIVERED},
                                           {false, E_NOT_DELIVERED},
                                           {false, E_NOT_DELIVERED},
                                           {false, E_NOT_DELIVERED}};
    begin(away, 5);
    err_t err;
    while ((err = append("a")) != E_OK)
        CHECK_EQUAL(err, E_NOT_DELIVERED);
    CHECK_EQUAL(append("b"), E_OK);
    CHECK(fake.appends == 2 && fake.last_number == 2);
}

/* E_FULL of the own node has not used the number up, E_FULL of the tables has; both look the same. */
static void test_refused(void)
{
    static const struct sending script[] = {{true, E_OK}, {false, E_FULL}};
    begin(script, 2);
    CHECK_EQUAL(append("a"), E_OK);
    CHECK_EQUAL(append("b"), E_FULL);
    CHECK_EQUAL(append("c"), E_OK);
    fake.next_err = E_FULL;
    CHECK_EQUAL(append("d"), E_FULL);
    CHECK_EQUAL(append("e"), E_OK);
    CHECK(fake.appends == 3 && fake.last_number == 4);
}

int main(void)
{
    RUN(test_outcomes);
    RUN(test_one_after_the_other);
    RUN(test_what_is_lost_is_sent_again);
    RUN(test_unknown_at_the_deadline);
    RUN(test_not_delivered);
    RUN(test_refused);
    return 0;
}
