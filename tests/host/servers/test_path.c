/* Paths are made canonical by their text. */
#include <names/path.h>
#include <test/check.h>

static void expect(const char *from, const char *to, bool directory)
{
    struct path path;
    CHECK_EQUAL(path_normalize(from, &path), E_OK);
    CHECK_STRING(path.text, to);
    CHECK_EQUAL(path.must_be_directory, directory);
}

static void test_canonical(void)
{
    expect("/", "/", true);
    expect("///", "/", true);
    expect("/a/b", "/a/b", false);
    expect("//a///b//", "/a/b", true);
    expect("/a/./b/.", "/a/b", true);
    expect("/a/../b", "/b", false);
    expect("/../../a", "/a", false);
    expect("/a/b/..", "/a", true);
    expect("/a/..", "/", true);
    expect("/...", "/...", false);
    expect("/.a/..b", "/.a/..b", false);
}

static void test_refusals(void)
{
    struct path path;
    char text[3000];
    CHECK_EQUAL(path_normalize("", &path), E_INVALID);
    CHECK_EQUAL(path_normalize("a", &path), E_INVALID);
    memset(text, 'a', sizeof text);
    text[0] = '/';
    text[256] = 0;
    CHECK_EQUAL(path_normalize(text, &path), E_OK);
    text[256] = 'a', text[257] = 0;
    CHECK_EQUAL(path_normalize(text, &path), E_TOO_LONG);
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = i % 2 ? 'a' : '/';
    text[1024] = 0;
    CHECK_EQUAL(path_normalize(text, &path), E_TOO_LONG);
    text[1022] = 0;
    CHECK_EQUAL(path_normalize(text, &path), E_OK);
}

static void test_next(void)
{
    size_t at = 0, bytes;
    const char *part;
    CHECK(path_next("/ab/c", &at, &part, &bytes) && bytes == 2 && part[0] == 'a');
    CHECK(path_next("/ab/c", &at, &part, &bytes) && bytes == 1 && part[0] == 'c');
    CHECK(!path_next("/ab/c", &at, &part, &bytes));
    at = 0;
    CHECK(!path_next("/", &at, &part, &bytes));
}

int main(void)
{
    RUN(test_canonical);
    RUN(test_refusals);
    RUN(test_next);
    return 0;
}
