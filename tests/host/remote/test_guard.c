/* The rule by which an endpoint that is bound to a lock admits calls, against the history of grants that it stands for.
 */
#include "guard.h"

#include <test/check.h>
#include <test/random.h>

static const struct ipc_fence first = {{1, 2}, 10, 0}, second = {{1, 2}, 20, 0}, other = {{1, 3}, 30, 0};

static void test_a_later_grant_voids_earlier_ones(void)
{
    struct endpoint_guard g = {.lock = {1, 2}};
    CHECK_EQUAL(guard_admits(&g, &first), E_OK);
    guard_see(&g, &first);
    CHECK_EQUAL(guard_admits(&g, &first), E_OK);
    guard_see(&g, &second);
    CHECK_EQUAL(guard_admits(&g, &first), E_STALE_FENCE);
    CHECK_EQUAL(guard_admits(&g, &second), E_OK);
    CHECK_EQUAL(guard_admits(&g, &other), E_NOT_FENCED);
}

static void test_what_was_read_at_a_restart_counts(void)
{
    struct endpoint_guard g = {.lock = {1, 2}}, read = {{1, 2}, 15, 15}, foreign = {{1, 3}, 99, 99};
    CHECK_EQUAL(guard_join(&g, &foreign), E_BUSY);
    CHECK_EQUAL(guard_join(&g, &read), E_OK);
    CHECK_EQUAL(guard_admits(&g, &first), E_STALE_FENCE);
    CHECK_EQUAL(guard_admits(&g, &second), E_OK);
}

/* Grants come in order; each is void as soon as a conflicting later one was seen, and not before. */
static void test_any_order_of_seeing(void)
{
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct random random = {seed};
        struct endpoint_guard g = {.lock = {1, 2}};
        bool seen[16] = {false};
        struct ipc_fence grants[16];
        for (uint32_t i = 0; i < 16; i++)
            grants[i] = (struct ipc_fence){{1, 2}, 100 + i, random_below(&random, 2)};
        for (uint32_t step = 0; step < 40; step++) {
            uint32_t i = (uint32_t)random_below(&random, 16);
            bool is_void = false;
            for (uint32_t j = i + 1; j < 16; j++)
                is_void |= seen[j] && !(grants[i].shared && grants[j].shared);
            CHECK_EQUAL(guard_admits(&g, &grants[i]), is_void ? E_STALE_FENCE : E_OK);
            if (!is_void) {
                guard_see(&g, &grants[i]);
                seen[i] = true;
            }
        }
    }
}

int main(void)
{
    RUN(test_a_later_grant_voids_earlier_ones);
    RUN(test_what_was_read_at_a_restart_counts);
    RUN(test_any_order_of_seeing);
    return 0;
}
