/* raft recover, raft wipe: what is so, what may be lost, consent, and then the act. */
#include "shoal.h"

#include <idl/cluster.h>
#include <os/service.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct by_hand {
    const char *word;
    uint32_t look, act; /* enum recover_act of the kernel: op recover of abi/idl/cluster.msg */
    const char *done;
};

static const struct by_hand kinds[] = {
    {"recover", 0, 1, "A new epoch begins: `raft` shows it. Other nodes join after `raft wipe` on each of them.\n"},
    {"wipe", 2, 3, "The log is given up: this node joins the cluster that it hears. `status` shows it.\n"}};

/* Shows what the kernel says; 0: it may be done, or is. */
static int ask(handle_t cluster, uint32_t act, const char *consent, bool show)
{
    static char text[CLUSTER_RECOVER_TEXT_MAX];
    uint32_t refused, length;
    err_t err = cluster_recover(cluster, soon(), act, consent, &refused, text, sizeof text, &length);
    if (err == E_INVALID)
        return fail("'%s' is not the name of this cluster: nothing was done", consent);
    if (err)
        return fail("%s", words_for(err));
    if (show || refused)
        fwrite(text, 1, length, stdout);
    return refused != 0;
}

/* What was typed, without the end of the line. NULL: there is nobody to ask. */
static const char *typed_name(void)
{
    static char line[64];
    if (!isatty(STDIN_FILENO))
        return NULL;
    printf("Type the name of the cluster to go on, anything else to leave it: ");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        return "";
    line[strcspn(line, "\r\n")] = 0;
    return line;
}

int raft_by_hand_run(int argc, char **argv)
{
    const struct by_hand *kind = strcmp(argv[1], kinds[0].word) == 0 ? &kinds[0] : &kinds[1];
    bool given = argc == 4 && strcmp(argv[2], "--yes-lose-data") == 0;
    if (strcmp(argv[1], kind->word) != 0 || (argc != 2 && !given))
        return usage();
    handle_t cluster = cluster_handle();
    if (!cluster || ask(cluster, kind->look, "", true) != 0)
        return 1;
    const char *consent = given ? argv[3] : typed_name();
    if (!consent)
        return fail(
            "the name of the cluster cannot be typed here; `raft %s --yes-lose-data CLUSTER` consents: nothing was "
            "done",
            kind->word);
    if (!consent[0])
        return fail("nothing was typed: nothing was done");
    if (ask(cluster, kind->act, consent, false) != 0)
        return 1;
    printf("%s", kind->done);
    return 0;
}
