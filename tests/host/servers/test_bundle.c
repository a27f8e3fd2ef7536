/* The bundle as a tree of directories. */
#include <bundle/tree.h>
#include <test/check.h>

static struct {
    struct bundle_header header;
    struct bundle_part parts[6];
    uint8_t data[64];
} image;
static struct bundle_tree fs;

static void add(const char *name, uint32_t kind, uint64_t bytes)
{
    struct bundle_part *part = &image.parts[image.header.part_count++];
    snprintf(part->name, sizeof part->name, "%s", name);
    part->kind = kind;
    part->offset = offsetof(__typeof__(image), data);
    part->bytes = bytes;
}

static err_t set_up(void)
{
    memset(&image, 0, sizeof image);
    memcpy(image.header.magic, BUNDLE_MAGIC, 8);
    image.header.table_offset = offsetof(__typeof__(image), parts);
    add("kernel", BUNDLE_KERNEL, 8);
    add("bin/sh", BUNDLE_FILE, 8);
    add("bin/wc", BUNDLE_FILE, 8);
    add("sym/kernel", BUNDLE_SYMBOLS, 8);
    add("share/text/a", BUNDLE_FILE, 8);
    add("share/b", BUNDLE_FILE, 8);
    return bundle_tree_init(&fs, &image, sizeof image);
}

static void expect_list(const char *path, const char *expected)
{
    char text[200] = "";
    struct bundle_tree_entry entry;
    uint64_t position = 0;
    while (bundle_tree_entry(&fs, path, &position, &entry)) {
        strcat(strcat(text, entry.name), entry.directory ? "/" : "");
        strcat(text, " ");
    }
    CHECK_STRING(text, expected);
}

static void test_tree(void)
{
    CHECK_EQUAL(set_up(), E_OK);
    expect_list("/", "bin/ share/ ");
    expect_list("/bin", "sh wc ");
    expect_list("/share", "text/ b ");
    expect_list("/share/text", "a ");
    expect_list("/sha", "");
    CHECK(bundle_tree_find(&fs, "/bin/sh") != NULL);
    CHECK(bundle_tree_find(&fs, "/bin") == NULL && bundle_tree_find(&fs, "/kernel") == NULL &&
          bundle_tree_find(&fs, "/") == NULL);
    CHECK(bundle_tree_is_directory(&fs, "/") && bundle_tree_is_directory(&fs, "/share/text"));
    CHECK(!bundle_tree_is_directory(&fs, "/bin/sh") && !bundle_tree_is_directory(&fs, "/sym") &&
          !bundle_tree_is_directory(&fs, "/bi"));
    CHECK(bundle_tree_inode(&fs, "/bin") != bundle_tree_inode(&fs, "/bin/sh"));
    CHECK(bundle_tree_inode(&fs, "/share") != bundle_tree_inode(&fs, "/share/text"));
}

static void test_damage(void)
{
    set_up();
    image.parts[2].offset = sizeof image - 4;
    CHECK_EQUAL(bundle_tree_init(&fs, &image, sizeof image), E_CORRUPT);
    set_up();
    memset(image.parts[1].name, 'x', BUNDLE_NAME_MAX);
    CHECK_EQUAL(bundle_tree_init(&fs, &image, sizeof image), E_CORRUPT);
    set_up();
    image.header.part_count = BUNDLE_PARTS_MAX + 1;
    CHECK_EQUAL(bundle_tree_init(&fs, &image, sizeof image), E_CORRUPT);
    set_up();
    image.header.table_offset = UINT64_MAX - 8;
    CHECK_EQUAL(bundle_tree_init(&fs, &image, sizeof image), E_CORRUPT);
    CHECK_EQUAL(bundle_tree_init(&fs, &image, 10), E_CORRUPT);
}

int main(void)
{
    RUN(test_tree);
    RUN(test_damage);
    return 0;
}
