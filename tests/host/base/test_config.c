/* shoal.conf: what is taken, what is refused and how it is told. */
#include <base/config.h>
#include <test/check.h>
#include <test/random.h>

static struct config config;
static struct config_error error;

static err_t parse(const char *text)
{
    return config_parse(text, strlen(text), &config, &error);
}

static void test_values(void)
{
    CHECK_EQUAL(parse("# a comment\n\n  cluster = shoal  \nnode=a.1\naddress = 10.0.0.1/24\r\n"
                      "peers = 10.0.0.2, 10.0.0.3\nrun = echo a = b # no comment here\nrestrict = nopit, nohpet\n"
                      "voters = 52:54:00:12:34:56,12345678-9abc-def0-1234-56789abcdef0\nheartbeat_ms = 50"),
                E_OK);
    CHECK_STRING(config_value(&config, "cluster"), "shoal");
    CHECK_STRING(config_value(&config, "node"), "a.1");
    CHECK_STRING(config_value(&config, "address"), "10.0.0.1/24");
    CHECK_STRING(config_value(&config, "run"), "echo a = b # no comment here");
    CHECK_STRING(config_value(&config, "heartbeat_ms"), "50");
    CHECK(config_value(&config, "gateway") == NULL);
    CHECK(config_value(&config, "nonsense") == NULL);
    CHECK(config_word(config_value(&config, "restrict"), "nohpet"));
    CHECK(!config_word(config_value(&config, "restrict"), "nop"));
}

static void test_last_line_wins(void)
{
    CHECK_EQUAL(parse("console = serial\nconsole = both\n"), E_OK);
    CHECK_STRING(config_value(&config, "console"), "both");
}

static void test_numbers(void)
{
    int64_t value = 7;
    CHECK_EQUAL(parse("node = x\nclock_ppm = -5000\nelection_ms = 600000\n"), E_OK);
    CHECK(!config_number(&config, "heartbeat_ms", &value) && value == 7);
    CHECK(config_number(&config, "clock_ppm", &value) && value == -5000);
    CHECK(config_number(&config, "election_ms", &value) && value == 600000);
    CHECK_EQUAL(parse("clock_ppm = 5000\n"), E_OK);
    CHECK(config_number(&config, "clock_ppm", &value) && value == 5000);
}

static void test_listing(void)
{
    const char *key, *value;
    uint32_t given = 0;
    CHECK_EQUAL(parse("disk = none\nnode = x\n"), E_OK);
    for (uint32_t i = 0; config_at(&config, i, &key, &value); i++)
        given += value != NULL;
    CHECK_EQUAL(given, 2);
}

static void test_refusals(void)
{
    static const char *const bad[] = {
        "colour = red",
        "cluster",
        "= x",
        "node =",
        "node = a b",
        "node = 12345678901234567890123456789012",
        "address = 10.0.0.1",
        "address = 10.0.0.1/33",
        "address = 10.0.0.256/8",
        "address = 10.0.0/8",
        "gateway = 1.2.3.4.5",
        "gateway = 1..2.3",
        "peers = ",
        "peers = 1.2.3.4,,x",
        "disk = floppy",
        "console = serial|screen",
        "genesis = no",
        "key_store = disk",
        "heartbeat_ms = 0",
        "heartbeat_ms = 60001",
        "heartbeat_ms = 5x",
        "heartbeat_ms = -5",
        "clock_ppm = -5001",
        "clock_ppm = 5001",
        "clock_ppm = -",
        "clock_ppm = --1",
        "clock_ppm = +1",
        "address = 10.0.0.1/-1",
        "election_ms = 99999999999",
        "voters = 52:54:00:12:34",
        "voters = 12345678-9abc-def0-1234_56789abcdef0",
        "restrict = nopit nosleep",
        "panic = maybe",
    };
    char text[128];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "node = good\n%s\ndisk = none\n", bad[i]);
        CHECK_EQUAL(parse(text), E_INVALID);
        CHECK_EQUAL(error.line, 2);
        CHECK(error.text[0] != 0);
        CHECK_STRING(config_value(&config, "disk"), "none"); /* good lines count, so that `panic = exit` does */
    }
}

static void test_error_names_the_line(void)
{
    CHECK_EQUAL(parse("node = a\ncolour = red\nshape = round\n"), E_INVALID);
    CHECK_EQUAL(error.line, 2);
    CHECK(strstr(error.text, "'colour'") != NULL);
    CHECK(strstr(error.text, "heartbeat_ms") != NULL);
}

static void test_too_long(void)
{
    static char text[CONFIG_BYTES_MAX + 1];
    memset(text, '#', sizeof text);
    CHECK_EQUAL(config_parse(text, sizeof text, &config, &error), E_TOO_LONG);
    CHECK_EQUAL(config_parse(text, CONFIG_BYTES_MAX - 1, &config, &error), E_OK);
}

/* Any bytes at all: no crash, and what is taken is a string inside of the pool. */
static void test_noise(void)
{
    static const char letters[] = "node=cluster\n #,.:/0123456789-\t\r\0\xff";
    char text[200];
    struct random r = {1};
    for (int round = 0; round < 20000; round++) {
        size_t n = random_below(&r, sizeof text);
        for (size_t i = 0; i < n; i++)
            text[i] = letters[random_below(&r, sizeof letters)];
        config_parse(text, n, &config, &error);
        const char *v = config_value(&config, "node");
        CHECK(v == NULL || (v >= config.pool && strlen(v) <= 31));
    }
}

int main(void)
{
    RUN(test_values);
    RUN(test_last_line_wins);
    RUN(test_numbers);
    RUN(test_listing);
    RUN(test_refusals);
    RUN(test_error_names_the_line);
    RUN(test_too_long);
    RUN(test_noise);
    return 0;
}
