/* A pipe's ring of pages: bytes in order, never more than its size, no page kept. */
#include <names/pipe.h>
#include <test/check.h>

static struct pages pool;
static uint8_t *memory;

static void set_up(uint32_t page_count)
{
    free(memory);
    memory = aligned_alloc(PAGE_BYTES, page_count * PAGE_BYTES);
    pages_init(&pool, memory, page_count * PAGE_BYTES);
}

static void test_order(void)
{
    static uint8_t in[70000], out[70000];
    struct pipe p = {0};
    uint64_t state = 5, put = 0, taken = 0;
    set_up(40);
    while (taken < 5000000) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        uint32_t want = (uint32_t)(state >> 33) % sizeof in;
        if (state >> 63) {
            for (uint32_t i = 0; i < want; i++)
                in[i] = (uint8_t)((put + i) * 31 >> 3);
            uint32_t room = pipe_room(&p), done = pipe_put(&p, &pool, in, want);
            CHECK_EQUAL(done, want < room ? want : room);
            put += done;
        } else {
            uint32_t filled = pipe_filled(&p), done = pipe_take(&p, &pool, out, want);
            CHECK_EQUAL(done, want < filled ? want : filled);
            for (uint32_t i = 0; i < done; i++)
                CHECK_EQUAL(out[i], (uint8_t)((taken + i) * 31 >> 3));
            taken += done;
        }
        CHECK(pool.used <= PIPE_PAGES);
        CHECK_EQUAL(pipe_filled(&p), put - taken);
    }
    pipe_clear(&p, &pool);
    CHECK_EQUAL(pool.used, 0);
}

static void test_pool_runs_out(void)
{
    static uint8_t data[PIPE_BYTES];
    struct pipe p = {0}, q = {0};
    set_up(4);
    CHECK_EQUAL(pipe_put(&p, &pool, data, sizeof data), 3 * PAGE_BYTES);
    CHECK_EQUAL(pipe_put(&q, &pool, data, 1), 0);
    CHECK_EQUAL(pipe_take(&p, &pool, data, sizeof data), 3 * PAGE_BYTES);
    CHECK_EQUAL(pool.used, 0);
    CHECK_EQUAL(pipe_put(&q, &pool, data, 1), 1);
}

int main(void)
{
    RUN(test_order);
    RUN(test_pool_runs_out);
    free(memory);
    return 0;
}
