/* Manifests: what is good is read exactly, what is not is refused with the line. */
#include <abi/info.h>
#include <supervisor/manifest.h>
#include <test/check.h>

static struct manifest m;
static struct manifest_error error;

static bool parse(const char *text)
{
    return manifest_parse("thing", text, strlen(text), &m, &error);
}

static void test_defaults(void)
{
    CHECK(parse("# nothing but a comment\n\n"));
    CHECK_STRING(m.name, "thing");
    CHECK_STRING(m.program, "bin/thing");
    CHECK_EQUAL(m.level, 9);
    CHECK_EQUAL(m.restart, RESTART_ALWAYS);
    CHECK_EQUAL(m.system_rights, 0);
}

static void test_everything(void)
{
    CHECK(parse("level 1\nprogram bin/x  # words after a # are nothing\ndevice pci 1af4:1042,1af4:1001\noptional\n"
                "peer supervisor net\npeer serial\nprovides tty0 tty1\nsystem log power\nbundle\ncluster read locks "
                "under app/\nnames\n"
                "terminal tty0\nif agent com2\nargs --agent x\nargs y\nmemory 512K\npriority 20\nrestart on-failure\n"
                "handle jobs-budget"));
    CHECK_EQUAL(m.level, 1);
    CHECK_EQUAL(m.device_kind, DEVICE_PCI);
    CHECK_EQUAL(m.device_count, 2);
    CHECK_EQUAL(m.devices[1].vendor, 0x1af4);
    CHECK_EQUAL(m.devices[1].device, 0x1001);
    CHECK_EQUAL(m.peers.count, 3);
    CHECK_STRING(m.peers.name[2], "serial");
    CHECK_EQUAL(m.system_rights, RIGHT_LOG | RIGHT_POWER | RIGHT_INFO);
    CHECK(m.optional && m.bundle && m.names && m.jobs_budget);
    CHECK_EQUAL(m.cluster, CLUSTER_MAY_READ | CLUSTER_MAY_LOCKS);
    CHECK_STRING(m.cluster_prefix, "app/");
    CHECK_STRING(m.terminal, "tty0");
    CHECK_STRING(m.condition_key, "agent");
    CHECK_STRING(m.condition_value, "com2");
    CHECK_EQUAL(m.arg_count, 3);
    CHECK(memcmp(m.args, "--agent\0x\0y\0", m.args_bytes) == 0);
    CHECK_EQUAL(m.memory_bytes, 512 * 1024);
    CHECK_EQUAL(m.priority, 20);
    CHECK_EQUAL(m.restart, RESTART_ON_FAILURE);
}

static void test_refusals_name_the_line(void)
{
    static const char *const bad[] = {"level",
                                      "level 10",
                                      "level x",
                                      "level 1 2",
                                      "device",
                                      "device usb",
                                      "device pci",
                                      "device pci 1af4",
                                      "device pci 1af4:1042,",
                                      "device pci 1af4:104g",
                                      "peer",
                                      "peer a*b",
                                      "system",
                                      "system everything",
                                      "memory 4",
                                      "memory 4G",
                                      "memory M",
                                      "memory 99999999999M",
                                      "priority 32",
                                      "priority -1",
                                      "restart sometimes",
                                      "handle",
                                      "handle root",
                                      "optional yes",
                                      "if agent",
                                      "terminal",
                                      "args",
                                      "colour blue",
                                      "cluster",
                                      "cluster everything",
                                      "cluster read under",
                                      "cluster under app/",
                                      "cluster read under app/ locks",
                                      "cluster read under a*",
                                      "\x01",
                                      "provides",
                                      "program",
                                      "peer a b c d e f g h i j k l m n",
                                      "program 0123456789012345678901234567890123456789012345678901234567890123456789"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "# first\nlevel 2\n%s\n", bad[i]);
        CHECK(!parse(text));
        CHECK_EQUAL(error.line, 3);
        CHECK(error.expected != NULL);
    }
    CHECK(!parse("device serial\ndevice serial\n"));
    CHECK_EQUAL(error.line, 2);
    CHECK(!parse("optional\n"));
    CHECK(!parse("cluster read\ncluster locks\n"));
    CHECK_EQUAL(error.line, 2);
    CHECK(!parse("cluster read wrte\n"));
    CHECK_STRING(error.found, "wrte");
    CHECK(strstr(error.expected, "read, write, locks"));
}

static void test_names_are_short(void)
{
    CHECK(!manifest_parse("", "", 0, &m, &error));
    CHECK(!manifest_parse("abcdefghijklmnopqrstuvwxyzabc", "", 0, &m, &error));
    CHECK(!manifest_parse("a b", "", 0, &m, &error));
}

static void test_list(void)
{
    struct manifest_list list;
    const char *good = "# order\nstart serial\nstart console # shows it\n";
    CHECK(manifest_parse_list(good, strlen(good), &list, &error));
    CHECK_EQUAL(list.count, 2);
    CHECK_STRING(list.name[1], "console");
    static const char *const bad[] = {"start\n", "stop x\n", "start a b\n", "start a\nstart a\n", "start a$\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!manifest_parse_list(bad[i], strlen(bad[i]), &list, &error));
}

static void test_permissions(void)
{
    CHECK(parse("provides tty0\npeer serial net\n"));
    CHECK(manifest_may_publish(&m, "thing1", "thing"));
    CHECK(manifest_may_publish(&m, "thing1", "thing1"));
    CHECK(manifest_may_publish(&m, "thing1", "tty0"));
    CHECK(!manifest_may_publish(&m, "thing1", "thing2"));
    CHECK(!manifest_may_publish(&m, "thing1", "serial"));
    CHECK(manifest_may_lookup(&m, "serial") && manifest_may_lookup(&m, "serial1") && manifest_may_lookup(&m, "net"));
    CHECK(!manifest_may_lookup(&m, "block") && !manifest_may_lookup(&m, "serialx") && !manifest_may_lookup(&m, ""));
}

/* Any bytes are either read or refused; the sanitizers watch. */
static void test_random_text(void)
{
    static const char *const words[] = {"level", "device", "pci",    "1af4:1042", ",",      "peer", " ",
                                        "\n",    "#",      "system", "log",       "memory", "4M",   "9",
                                        "\t",    "args",   "x",      "\r",        "handle", "\xff"};
    uint64_t state = 12345;
    for (int round = 0; round < 20000; round++) {
        char text[200];
        size_t n = 0;
        while (n < 150) {
            state = state * 6364136223846793005ull + 1442695040888963407ull;
            const char *word = words[(state >> 33) % (sizeof words / sizeof words[0])];
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", word, state >> 60 & 1 ? " " : "");
        }
        char *exact = malloc(n); /* so that reading past the end is seen */
        memcpy(exact, text, n);
        bool good = manifest_parse("thing", exact, n, &m, &error);
        CHECK(good || error.expected != NULL);
        free(exact);
    }
}

int main(void)
{
    RUN(test_defaults);
    RUN(test_everything);
    RUN(test_refusals_name_the_line);
    RUN(test_names_are_short);
    RUN(test_list);
    RUN(test_permissions);
    RUN(test_random_text);
    return 0;
}
