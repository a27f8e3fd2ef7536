/* Who waits for whom: circles are found, and nothing else is taken for one. */
#include <abi/cluster.h>
#include <shoal/waits.h>
#include <test/check.h>

static struct shoal_waits w;
static uint32_t circle[16], from;

/* Requests of a lock come one after the other; lock and process are small numbers. */
static void add(uint64_t lock, uint64_t process, uint32_t mode, bool holds)
{
    w.rows[w.count] = (struct cluster_lock_request){
        .ticket = w.count + 1, .fence = holds ? w.count + 1 : 0, .process_id = process, .lock = lock, .mode = mode};
    w.count++;
}

static void begin(void)
{
    memset(&w, 0, sizeof w);
    from = 0;
}

static void test_nobody_waits(void)
{
    begin();
    CHECK_EQUAL(shoal_waits_find_stuck(&w), 0);
    add(1, 10, CLUSTER_EXCLUSIVE, true);
    add(2, 10, CLUSTER_EXCLUSIVE, true);
    CHECK_EQUAL(shoal_waits_find_stuck(&w), 0);
    CHECK_EQUAL(shoal_waits_for(&w, 0), w.count);
    CHECK_EQUAL(shoal_waits_circle(&w, &from, circle, 16), 0);
}

static void test_a_line_moves_on(void)
{
    begin();
    add(1, 10, CLUSTER_EXCLUSIVE, true);
    add(1, 20, CLUSTER_EXCLUSIVE, false);
    add(1, 30, CLUSTER_EXCLUSIVE, false);
    CHECK_EQUAL(shoal_waits_find_stuck(&w), 0);
    CHECK_EQUAL(shoal_waits_for(&w, 1), 0);
    CHECK_EQUAL(shoal_waits_for(&w, 2), 1);
}

static void test_two_wait_for_each_other(void)
{
    begin();
    add(1, 10, CLUSTER_EXCLUSIVE, true);
    add(1, 20, CLUSTER_EXCLUSIVE, false);
    add(2, 20, CLUSTER_EXCLUSIVE, true);
    add(2, 10, CLUSTER_EXCLUSIVE, false);
    add(2, 30, CLUSTER_EXCLUSIVE, false); /* of neither, but behind them */
    CHECK_EQUAL(shoal_waits_find_stuck(&w), 3);
    CHECK(w.stuck[1] && w.stuck[3] && w.stuck[4] && !w.stuck[0] && !w.stuck[2]);
    CHECK_EQUAL(shoal_waits_circle(&w, &from, circle, 16), 2);
    CHECK(circle[0] == 1 && circle[1] == 3);
    CHECK_EQUAL(shoal_waits_circle(&w, &from, circle, 16), 0); /* once */
}

static void test_two_circles(void)
{
    begin();
    for (uint64_t i = 0; i < 2; i++) {
        add(4 * i + 1, 10 * i + 1, CLUSTER_EXCLUSIVE, true);
        add(4 * i + 1, 10 * i + 2, CLUSTER_EXCLUSIVE, false);
        add(4 * i + 2, 10 * i + 2, CLUSTER_EXCLUSIVE, true);
        add(4 * i + 2, 10 * i + 3, CLUSTER_EXCLUSIVE, false);
        add(4 * i + 3, 10 * i + 3, CLUSTER_EXCLUSIVE, true);
        add(4 * i + 3, 10 * i + 1, CLUSTER_EXCLUSIVE, false);
    }
    CHECK_EQUAL(shoal_waits_find_stuck(&w), 6);
    CHECK_EQUAL(shoal_waits_circle(&w, &from, circle, 16), 3);
    CHECK(circle[0] == 1 && circle[1] == 5 && circle[2] == 3);
    CHECK_EQUAL(shoal_waits_circle(&w, &from, circle, 2), 2); /* no more than there is room for */
    CHECK_EQUAL(shoal_waits_circle(&w, &from, circle, 16), 0);
}

static void test_one_waits_for_itself(void)
{
    begin();
    add(1, 10, CLUSTER_EXCLUSIVE, true);
    add(1, 10, CLUSTER_SHARED, false);
    CHECK_EQUAL(shoal_waits_find_stuck(&w), 1);
    CHECK_EQUAL(shoal_waits_circle(&w, &from, circle, 16), 1);
    CHECK_EQUAL(circle[0], 1);
}

/* Sharers do not wait for each other, but all wait for who does not share and stands before them. */
static void test_a_circle_through_the_line(void)
{
    begin();
    add(1, 10, CLUSTER_SHARED, true);
    add(1, 20, CLUSTER_EXCLUSIVE, false);
    add(1, 30, CLUSTER_SHARED, false);
    add(2, 30, CLUSTER_EXCLUSIVE, true);
    CHECK_EQUAL(shoal_waits_find_stuck(&w), 0);
    CHECK_EQUAL(shoal_waits_for(&w, 2), 1);
    add(2, 10, CLUSTER_EXCLUSIVE, false); /* 10 waits for 30, which waits behind 20, which waits for 10 */
    CHECK_EQUAL(shoal_waits_find_stuck(&w), 3);
    CHECK_EQUAL(shoal_waits_circle(&w, &from, circle, 16), 3);
}

static void test_a_semaphore_needs_only_one(void)
{
    begin();
    add(1, 10, CLUSTER_SEMAPHORE, true);
    add(1, 20, CLUSTER_SEMAPHORE, true);
    add(1, 30, CLUSTER_SEMAPHORE, false);
    add(2, 30, CLUSTER_EXCLUSIVE, true);
    add(2, 10, CLUSTER_EXCLUSIVE, false);
    CHECK_EQUAL(shoal_waits_find_stuck(&w), 0); /* 20 goes on */
    add(2, 20, CLUSTER_EXCLUSIVE, false);
    CHECK_EQUAL(shoal_waits_find_stuck(&w), 3);
}

static void test_a_barrier_may_open(void)
{
    begin();
    add(1, 10, CLUSTER_BARRIER, false);
    add(1, 20, CLUSTER_BARRIER, false);
    add(2, 10, CLUSTER_EXCLUSIVE, true);
    add(2, 20, CLUSTER_EXCLUSIVE, false);
    CHECK_EQUAL(shoal_waits_find_stuck(&w), 0);
    CHECK_EQUAL(shoal_waits_for(&w, 0), w.count);
}

/* As many as there can be, in one chain through all locks: closed, all are stuck; open, none is. */
static void test_many(void)
{
    for (int closed = 0; closed <= 1; closed++) {
        begin();
        for (uint64_t i = 0; i < SHOAL_REQUESTS_MAX / 2; i++) {
            add(i + 1, i + 1, CLUSTER_EXCLUSIVE, true);
            if (i > 0 || closed)
                add(i + 1, i > 0 ? i : SHOAL_REQUESTS_MAX / 2, CLUSTER_EXCLUSIVE, false);
        }
        CHECK_EQUAL(shoal_waits_find_stuck(&w), closed ? SHOAL_REQUESTS_MAX / 2 : 0);
    }
    CHECK_EQUAL(shoal_waits_circle(&w, &from, circle, 16), 16);
}

int main(void)
{
    RUN(test_nobody_waits);
    RUN(test_a_line_moves_on);
    RUN(test_two_wait_for_each_other);
    RUN(test_two_circles);
    RUN(test_one_waits_for_itself);
    RUN(test_a_circle_through_the_line);
    RUN(test_a_semaphore_needs_only_one);
    RUN(test_a_barrier_may_open);
    RUN(test_many);
    return 0;
}
