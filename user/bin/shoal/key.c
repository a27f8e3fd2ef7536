/* key: the key that the nodes of the cluster know each other by. */
#include "shoal.h"

#include <abi/file.h>
#include <idl/cluster.h>
#include <idl/file.h>
#include <os/service.h>
#include <os/startup.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEY_BYTES 32u

static char text[CLUSTER_KEY_TEXT_MAX + 1];

/* The answer is in `text`. */
static int ask(uint32_t act, const uint8_t *secret)
{
    uint32_t refused, length = 0;
    err_t err = cluster_key(cluster_handle(), os_deadline_ms(30000), act, secret, secret ? KEY_BYTES : 0, &refused,
                            text, sizeof text - 1, &length);
    text[length] = 0;
    if (err == E_BUSY)
        return fail("a change is under way: `key` shows it, `key drop` or `key cancel` ends it");
    if (err)
        return fail("%s", words_for(err));
    if (refused)
        return fail("%.*s", (int)strcspn(text, "\n"), text);
    return 0;
}

/* ---- a key that is typed ---- */

static int digit(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;
    return at && (c < 'A' || c > 'F' || at >= digits + 10) ? (int)(at - digits) : -1;
}

static bool parse_key(const char *line, uint8_t key[KEY_BYTES])
{
    uint32_t count = 0;
    for (; *line; line++) {
        int d = digit(*line);
        if (*line == ' ')
            continue;
        if (d < 0 || count == 2 * KEY_BYTES)
            return false;
        key[count / 2] = (uint8_t)(count % 2 ? key[count / 2] << 4 | d : d);
        count++;
    }
    return count == 2 * KEY_BYTES;
}

static bool read_key(uint8_t key[KEY_BYTES])
{
    static char line[256];
    handle_t terminal = os_startup_handle(STARTUP_STDIN);
    bool hidden = file_terminal_set(terminal, soon(), TERMINAL_NO_ECHO) == E_OK;
    if (hidden) {
        printf("The key, 64 hex digits (they are not shown): ");
        fflush(stdout);
    }
    bool there = fgets(line, sizeof line, stdin) != NULL;
    if (hidden) {
        file_terminal_set(terminal, soon(), 0);
        putchar('\n');
    }
    line[strcspn(line, "\r\n")] = 0;
    bool good = there && parse_key(line, key);
    memset(line, 0, sizeof line);
    return good;
}

static int ask_with_key(uint32_t act)
{
    uint8_t key[KEY_BYTES];
    if (!read_key(key))
        return fail("64 hex digits are expected");
    int status = ask(act, key);
    memset(key, 0, sizeof key);
    if (status == 0)
        fputs(text, stdout);
    return status;
}

/* ---- a change of all ---- */

static bool under_way(void)
{
    return strstr(text, "no change under way") == NULL;
}

/* Until it is done: it also goes on without who looks. */
static int rotate(void)
{
    static char shown[sizeof text];
    int status = ask(CLUSTER_KEY_ROTATE, NULL);
    while (status == 0 && under_way()) {
        if (strcmp(shown, text) != 0)
            fputs(text, stdout);
        fflush(stdout);
        strcpy(shown, text);
        if (strstr(text, "absent"))
            return fail("the change stays open until the absent nodes are back; `key drop` ends it without them");
        usleep(300000);
        status = ask(CLUSTER_KEY_LOOK, NULL);
    }
    if (status == 0)
        fputs(text, stdout);
    return status;
}

static const struct {
    const char *word;
    uint32_t act;
    bool typed;
} acts[] = {{"leaked", CLUSTER_KEY_LEAKED, true},
            {"enter", CLUSTER_KEY_ENTER, true},
            {"drop", CLUSTER_KEY_DROP, false},
            {"cancel", CLUSTER_KEY_CANCEL, false},
            {"show", CLUSTER_KEY_SHOW, false}};

int key_run(int argc, char **argv)
{
    if (argc > 2)
        return usage();
    if (!cluster_handle())
        return 1;
    if (argc == 2 && strcmp(argv[1], "rotate") == 0)
        return rotate();
    for (size_t i = 0; argc == 2 && i < sizeof acts / sizeof acts[0]; i++) {
        if (strcmp(argv[1], acts[i].word) != 0)
            continue;
        int status = acts[i].typed ? ask_with_key(acts[i].act) : ask(acts[i].act, NULL);
        if (status == 0 && !acts[i].typed)
            printf("%s%s", text, acts[i].act == CLUSTER_KEY_SHOW ? "\n" : "");
        return status;
    }
    if (argc == 2)
        return usage();
    int status = ask(CLUSTER_KEY_LOOK, NULL);
    if (status == 0)
        fputs(text, stdout);
    return status;
}
