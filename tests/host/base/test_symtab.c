/* Tables of function names, good and damaged. */
#include <base/symtab.h>
#include <test/check.h>
#include <test/random.h>

static uint8_t table[64];

static size_t make(void)
{
    static const uint32_t pairs[] = {0x10, 0, 0x40, 4};
    uint32_t count = 2;
    uint64_t base = 0xffffffff80200000;
    memcpy(table, "SYM1", 4);
    memcpy(table + 4, &count, 4);
    memcpy(table + 8, &base, 8);
    memcpy(table + 16, pairs, sizeof pairs);
    memcpy(table + 32, "one\0two", 8);
    return 40;
}

static void test_find(void)
{
    uint64_t offset;
    size_t n = make();
    CHECK_STRING(symtab_find(table, n, 0xffffffff80200010, &offset), "one");
    CHECK_EQUAL(offset, 0);
    CHECK_STRING(symtab_find(table, n, 0xffffffff8020003f, &offset), "one");
    CHECK_EQUAL(offset, 0x2f);
    CHECK_STRING(symtab_find(table, n, 0xffffffff80300000, &offset), "two");
    CHECK(symtab_find(table, n, 0xffffffff8020000f, &offset) == NULL);
    CHECK(symtab_find(table, n, 0x400000, &offset) == NULL);
}

static void test_damage(void)
{
    uint64_t offset;
    struct random r = {3};
    for (size_t n = 0; n < 40; n++) {
        make();
        uint8_t *exact = malloc(n + 1);
        memcpy(exact, table, n);
        symtab_find(exact, n, 0xffffffff80200050, &offset);
        free(exact);
    }
    for (int round = 0; round < 20000; round++) {
        size_t n = make();
        table[4 + random_below(&r, n - 4)] = (uint8_t)random_below(&r, 256);
        uint8_t *exact = malloc(n);
        memcpy(exact, table, n);
        symtab_find(exact, n, 0xffffffff80200000 + random_below(&r, 256), &offset);
        free(exact);
    }
}

int main(void)
{
    RUN(test_find);
    RUN(test_damage);
    return 0;
}
