/* Asking the kernel's cluster service. */
#include "shoal.h"

#include <idl/cluster.h>
#include <shoal/nodes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t soon(void)
{
    return shoal_in_ms(5000);
}

handle_t cluster_handle(void)
{
    handle_t cluster = shoal_cluster();
    if (!cluster)
        fail("this program was given no way to the cluster");
    return cluster;
}

bool cluster_status_read(struct cluster_status *out)
{
    memset(out, 0, sizeof *out);
    return shoal_cluster() && shoal_cluster_status(shoal_cluster(), soon(), out) == E_OK;
}

uint32_t cluster_nodes_read(struct cluster_node *nodes, uint32_t room)
{
    uint32_t count = 0;
    if (shoal_cluster())
        (void)shoal_nodes(shoal_cluster(), soon(), nodes, room, &count);
    return count;
}

uint32_t cluster_node_number(const char *word)
{
    uint32_t node = 0;
    (void)shoal_node_number(shoal_cluster(), soon(), word, &node);
    return node;
}

/* ---- nodes ---- */

static const char *node_state(const struct cluster_node *n)
{
    static const char *const words[] = {"?", "up", "not heard", "removed", "refused"};
    return words[n->state < 5 ? n->state : 0];
}

static void show_node(const struct cluster_node *n, uint32_t self)
{
    char address[20];
    snprintf(address, sizeof address, "%u.%u.%u.%u", n->ipv4 & 255, n->ipv4 >> 8 & 255, n->ipv4 >> 16 & 255,
             n->ipv4 >> 24);
    printf("%4u%c %-14.32s %-10s %-8s %-8s %-15s %9s ago %4u%% %5u %8s  %.64s\n", n->node, n->node == self ? '*' : ' ',
           n->name, node_state(n),
           n->leader  ? "leader"
           : n->voter ? "voter"
                      : "learner",
           n->durable ? "durable" : "memory", address, n->node == self ? "0 s" : duration_text(n->last_heard_ns),
           n->busy_percent, n->running, size_text(n->free_bytes), n->note);
}

/* Who is no member cannot have a row: what it sent has a line. */
static void show_refused(const struct cluster_status *s)
{
    const uint64_t counts[] = {s->frames_wrong_key, s->frames_replayed, s->frames_damaged,  s->frames_foreign,
                               s->frames_old_key,   s->frames_excess,   s->frames_false_log};
    static const char *const words[] = {"wrong key",   "replayed", "damaged",  "foreign",
                                        "dropped key", "excess",   "false log"};
    const char *before = "refused frames: ";
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        uint32_t from = s->refused_ipv4[i];
        if (!counts[i])
            continue;
        printf("%s%llu %s (last from %u.%u.%u.%u)", before, (unsigned long long)counts[i], words[i], from & 255,
               from >> 8 & 255, from >> 16 & 255, from >> 24);
        before = ", ";
    }
    if (before[0] == ',')
        putchar('\n');
    if (s->carrier_malformed || s->carrier_broken)
        printf("refused from this node's network server: %llu malformed records, broken rings %llu times\n",
               (unsigned long long)s->carrier_malformed, (unsigned long long)s->carrier_broken);
}

static int show_nodes(void)
{
    static struct cluster_node nodes[NODES_MAX];
    struct cluster_status status;
    if (!cluster_status_read(&status))
        return fail("the cluster service does not answer");
    uint32_t count = cluster_nodes_read(nodes, NODES_MAX);
    printf(
        "NODE  NAME           STATE      ROLE     LOG      ADDRESS              HEARD     BUSY PROCS     FREE  NOTE\n");
    for (uint32_t i = 0; i < count; i++)
        show_node(&nodes[i], status.node);
    if (count == 0)
        printf("none but this one: %s\n", status.waiting[0] ? status.waiting : "the cluster has no other nodes");
    if (status.voters[0])
        printf("voters: %.256s\n", status.voters);
    show_refused(&status);
    return 0;
}

static const struct {
    const char *word;
    uint32_t action; /* enum cluster_members */
} members_words[] = {{"add", CLUSTER_MEMBERS_ADD},          {"undrain", CLUSTER_MEMBERS_ADD},
                     {"promote", CLUSTER_MEMBERS_PROMOTE},  {"demote", CLUSTER_MEMBERS_DEMOTE},
                     {"drain", CLUSTER_MEMBERS_DRAIN},      {"remove", CLUSTER_MEMBERS_REMOVE},
                     {"transfer", CLUSTER_MEMBERS_TRANSFER}};

static int change_members(uint32_t action, const char *which)
{
    char words[CLUSTER_MEMBERS_WORDS_MAX + 1];
    uint32_t result, node = cluster_node_number(which);
    if (!node)
        return fail("%s: there is no such node", which);
    err_t err = cluster_members(cluster_handle(), shoal_in_ms(90000), action, node, &result, words);
    if (err)
        return fail("%s: %s", which, words_for(err));
    if (result)
        return fail("%s", words);
    puts(words);
    return 0;
}

static int members_run(const char *word, const char *which)
{
    for (size_t i = 0; i < sizeof members_words / sizeof members_words[0]; i++)
        if (strcmp(members_words[i].word, word) == 0)
            return change_members(members_words[i].action, which);
    return usage();
}

int nodes_run(int argc, char **argv)
{
    if ((argc != 1 && argc != 3) || (argc == 3 && strcmp(argv[1], "transfer") == 0))
        return usage();
    if (!cluster_handle())
        return 1;
    return argc == 3 ? members_run(argv[1], argv[2]) : show_nodes();
}

/* ---- raft ---- */

int raft_run(int argc, char **argv)
{
    char text[CLUSTER_RAFT_TEXT_MAX + 1];
    uint32_t length;
    if (argc > 1 && strcmp(argv[1], "transfer") != 0)
        return raft_by_hand_run(argc, argv);
    handle_t cluster = cluster_handle();
    if (argc != 1 && argc != 3)
        return usage();
    if (!cluster)
        return 1;
    if (argc == 3)
        return members_run(argv[1], argv[2]);
    err_t err = cluster_raft(cluster, soon(), text, sizeof text - 1, &length);
    if (err)
        return fail("%s", words_for(err));
    fwrite(text, 1, length, stdout);
    return 0;
}
