/* Files in memory, against a plain model; every page comes back. */
#include <names/memfs.h>
#include <test/check.h>

#define POOL_PAGES 64

static struct memfs fs;
static struct pages pool;
static uint8_t *memory;

static void set_up(void)
{
    if (!memory)
        memory = aligned_alloc(PAGE_BYTES, POOL_PAGES * PAGE_BYTES);
    pages_init(&pool, memory, POOL_PAGES * PAGE_BYTES);
    memfs_init(&fs, &pool);
}

static uint32_t make(const char *path, enum file_kind kind)
{
    uint32_t dir, node;
    const char *name;
    CHECK_EQUAL(memfs_find_parent(&fs, path, &dir, &name), E_OK);
    CHECK_EQUAL(memfs_create(&fs, dir, name, kind, 0644, 1, &node), E_OK);
    return node;
}

static void test_names(void)
{
    set_up();
    uint32_t node, dir = make("/d", FILE_DIRECTORY), file = make("/d/f", FILE_REGULAR);
    CHECK_EQUAL(memfs_find(&fs, "/d/f", &node), E_OK);
    CHECK_EQUAL(node, file);
    CHECK_EQUAL(memfs_find(&fs, "/d/g", &node), E_NO_ENTRY);
    CHECK_EQUAL(memfs_find(&fs, "/d/f/g", &node), E_NOT_DIRECTORY);
    CHECK_EQUAL(memfs_create(&fs, dir, "f", FILE_REGULAR, 0, 1, &node), E_EXISTS);
    CHECK_EQUAL(memfs_unlink(&fs, dir, true, 1), E_NOT_EMPTY);
    CHECK_EQUAL(memfs_unlink(&fs, dir, false, 1), E_IS_DIRECTORY);
    CHECK_EQUAL(memfs_unlink(&fs, file, true, 1), E_NOT_DIRECTORY);
    CHECK_EQUAL(memfs_unlink(&fs, file, false, 1), E_OK);
    CHECK_EQUAL(memfs_unlink(&fs, dir, true, 1), E_OK);
    CHECK_EQUAL(memfs_unlink(&fs, MEMFS_ROOT, true, 1), E_BUSY);
}

static void test_open_file_outlives_its_name(void)
{
    set_up();
    uint32_t file = make("/f", FILE_REGULAR), done;
    memfs_hold(&fs, file);
    CHECK_EQUAL(memfs_write(&fs, file, 0, "hello", 5, 2, &done), E_OK);
    CHECK_EQUAL(memfs_unlink(&fs, file, false, 3), E_OK);
    char back[8];
    CHECK_EQUAL(memfs_read(&fs, file, 1, back, 8), 4);
    CHECK(memcmp(back, "ello", 4) == 0);
    CHECK(pool.used > 0);
    memfs_release(&fs, file);
    CHECK_EQUAL(pool.used, 0);
}

static void test_removed_directory_takes_no_files(void)
{
    set_up();
    uint32_t dir = make("/d", FILE_DIRECTORY), node;
    memfs_hold(&fs, dir);
    CHECK_EQUAL(memfs_unlink(&fs, dir, true, 1), E_OK);
    CHECK_EQUAL(memfs_create(&fs, dir, "f", FILE_REGULAR, 0, 1, &node), E_NO_ENTRY);
    memfs_release(&fs, dir);
}

static void test_rename(void)
{
    set_up();
    uint32_t a = make("/a", FILE_DIRECTORY), b = make("/a/b", FILE_DIRECTORY), f = make("/f", FILE_REGULAR), node;
    CHECK_EQUAL(memfs_rename(&fs, a, b, "x", 1), E_INVALID); /* into itself */
    CHECK_EQUAL(memfs_rename(&fs, f, a, "b", 1), E_IS_DIRECTORY);
    CHECK_EQUAL(memfs_rename(&fs, a, MEMFS_ROOT, "f", 1), E_NOT_DIRECTORY);
    CHECK_EQUAL(memfs_rename(&fs, f, b, "g", 1), E_OK);
    CHECK_EQUAL(memfs_find(&fs, "/a/b/g", &node), E_OK);
    CHECK_EQUAL(memfs_find(&fs, "/f", &node), E_NO_ENTRY);
    uint32_t h = make("/h", FILE_REGULAR);
    CHECK_EQUAL(memfs_rename(&fs, h, b, "g", 1), E_OK); /* replaces */
    CHECK_EQUAL(memfs_find(&fs, "/a/b/g", &node), E_OK);
    CHECK_EQUAL(node, h);
    CHECK_EQUAL(memfs_rename(&fs, b, MEMFS_ROOT, "c", 1), E_OK);
    CHECK_EQUAL(memfs_find(&fs, "/c/g", &node), E_OK);
}

static void test_readdir_survives_changes(void)
{
    set_up();
    for (int i = 0; i < 10; i++) {
        char path[8];
        snprintf(path, sizeof path, "/f%d", i);
        make(path, FILE_REGULAR);
    }
    uint64_t position = 0;
    int seen = 0;
    for (uint32_t n; (n = memfs_entry(&fs, MEMFS_ROOT, position)) != MEMFS_NONE; seen++) {
        position = fs.nodes[n].sequence + 1;
        memfs_unlink(&fs, n, false, 1);
    }
    CHECK_EQUAL(seen, 10);
    CHECK_EQUAL(fs.nodes[MEMFS_ROOT].first_child, MEMFS_NONE);
}

static void test_holes_and_the_bound(void)
{
    set_up();
    uint32_t file = make("/f", FILE_REGULAR), done;
    uint64_t far = 3ull << 30;
    CHECK_EQUAL(memfs_write(&fs, file, far, "x", 1, 1, &done), E_OK);
    CHECK_EQUAL(fs.nodes[file].bytes, far + 1);
    CHECK_EQUAL(pool.used, 3);
    uint8_t byte = 7;
    CHECK_EQUAL(memfs_read(&fs, file, far / 2, &byte, 1), 1);
    CHECK_EQUAL(byte, 0);
    static uint8_t data[POOL_PAGES * PAGE_BYTES];
    CHECK_EQUAL(memfs_write(&fs, file, 0, data, sizeof data, 1, &done), E_OK);
    CHECK(done > 0 && done < sizeof data);
    CHECK_EQUAL(pages_left(&pool), 0);
    CHECK_EQUAL(memfs_write(&fs, file, done, data, 1, 1, &done), E_FULL);
    CHECK_EQUAL(memfs_write(&fs, file, MEMFS_FILE_MAX, data, 1, 1, &done), E_FULL);
    CHECK_EQUAL(memfs_truncate(&fs, file, MEMFS_FILE_MAX + 1, 1), E_FULL);
    CHECK_EQUAL(memfs_truncate(&fs, file, 0, 1), E_OK);
    CHECK_EQUAL(pool.used, 0);
}

static void test_files_leave_a_reserve(void)
{
    static uint8_t data[POOL_PAGES * PAGE_BYTES];
    uint32_t done;
    set_up();
    fs.reserve = 10;
    CHECK_EQUAL(memfs_write(&fs, make("/f", FILE_REGULAR), 0, data, sizeof data, 1, &done), E_OK);
    CHECK_EQUAL(pages_left(&pool), 10);
}

/* Room for the first table of a far page, not for the second. */
static void test_a_failed_write_keeps_no_pages(void)
{
    static uint8_t data[PAGE_BYTES];
    uint32_t done, node, full;
    set_up();
    full = make("/full", FILE_REGULAR);
    for (uint64_t at = 0; pages_left(&pool) > 1; at += PAGE_BYTES)
        CHECK_EQUAL(memfs_write(&fs, full, at, data, sizeof data, 1, &done), E_OK);
    uint32_t used = pool.used;
    node = make("/far", FILE_REGULAR);
    CHECK_EQUAL(memfs_write(&fs, node, 100 * PAGE_BYTES, data, sizeof data, 1, &done), E_FULL);
    CHECK_EQUAL(memfs_unlink(&fs, node, false, 1), E_OK);
    CHECK_EQUAL(pool.used, used);
}

static void test_nodes_run_out_cleanly(void)
{
    set_up();
    uint32_t node, made = 0;
    char name[16];
    for (;; made++) {
        snprintf(name, sizeof name, "n%u", made);
        err_t err = memfs_create(&fs, MEMFS_ROOT, name, FILE_REGULAR, 0, 1, &node);
        if (err == E_FULL)
            break;
        CHECK_EQUAL(err, E_OK);
        if (made == 300) /* names are searched from front to back: keep the test short */
            fs.next_new = MEMFS_NODES_MAX;
    }
    CHECK_EQUAL(memfs_unlink(&fs, memfs_child(&fs, MEMFS_ROOT, "n0", 2), false, 1), E_OK);
    CHECK_EQUAL(memfs_create(&fs, MEMFS_ROOT, "again", FILE_REGULAR, 0, 1, &node), E_OK);
}

/* Random writes, truncates and reads of one file behave like an array of bytes. */
static void test_against_model(void)
{
    enum { SPAN = 100000 };
    static uint8_t model[SPAN], data[SPAN], back[SPAN];
    uint64_t length = 0, state = 99;
    set_up();
    uint32_t file = make("/f", FILE_REGULAR);
    for (int round = 0; round < 3000; round++) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t offset = (state >> 20) % SPAN, count = (state >> 40) % 9000, done;
        uint32_t done32;
        if (count > SPAN - offset)
            count = SPAN - offset;
        if ((state >> 60) < 10) {
            memset(data, (int)(state >> 8), count);
            CHECK_EQUAL(memfs_write(&fs, file, offset, data, (uint32_t)count, 1, &done32), E_OK);
            CHECK_EQUAL(done32, count);
            memcpy(model + offset, data, count);
            if (count && offset + count > length)
                length = offset + count;
        } else if ((state >> 60) < 12) {
            CHECK_EQUAL(memfs_truncate(&fs, file, offset, 1), E_OK);
            if (offset < length)
                memset(model + offset, 0, length - offset);
            length = offset;
        } else {
            done = memfs_read(&fs, file, offset, back, (uint32_t)count);
            uint64_t expected = offset >= length ? 0 : length - offset < count ? length - offset : count;
            CHECK_EQUAL(done, expected);
            CHECK(memcmp(back, model + offset, done) == 0);
        }
        CHECK_EQUAL(fs.nodes[file].bytes, length);
    }
    CHECK_EQUAL(memfs_unlink(&fs, file, false, 1), E_OK);
    CHECK_EQUAL(pool.used, 0);
}

int main(void)
{
    RUN(test_names);
    RUN(test_open_file_outlives_its_name);
    RUN(test_removed_directory_takes_no_files);
    RUN(test_rename);
    RUN(test_readdir_survives_changes);
    RUN(test_holes_and_the_bound);
    RUN(test_files_leave_a_reserve);
    RUN(test_a_failed_write_keeps_no_pages);
    RUN(test_nodes_run_out_cleanly);
    RUN(test_against_model);
    free(memory);
    return 0;
}
