/* Asking the kernel's cluster service. */
#include "shoal.h"

#include <idl/cluster.h>
#include <os/service.h>
#include <os/startup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t soon(void)
{
    return os_deadline_ms(5000);
}

handle_t cluster_handle(void)
{
    handle_t cluster = os_startup_handle(STARTUP_CLUSTER);
    if (!cluster)
        fail("this program was given no way to the cluster");
    return cluster;
}

bool cluster_status_read(struct cluster_status *out)
{
    uint32_t length = 0;
    handle_t cluster = os_startup_handle(STARTUP_CLUSTER);
    memset(out, 0, sizeof *out);
    return cluster && cluster_status(cluster, soon(), out, sizeof *out, &length) == E_OK && length == sizeof *out;
}

uint32_t cluster_nodes_read(struct cluster_node *nodes, uint32_t room)
{
    static struct cluster_node part[CLUSTER_NODES_ROWS_MAX / sizeof(struct cluster_node)];
    handle_t cluster = os_startup_handle(STARTUP_CLUSTER);
    uint32_t count = 0, position = 0, next, length;
    while (cluster && cluster_nodes(cluster, soon(), position, &next, part, sizeof part, &length) == E_OK &&
           length > 0) {
        for (uint32_t i = 0; i < length / sizeof part[0] && count < room; i++)
            nodes[count++] = part[i];
        if (next <= position)
            break;
        position = next;
    }
    return count;
}

uint32_t cluster_node_number(const char *word)
{
    static struct cluster_node nodes[NODES_MAX];
    uint64_t number;
    if (parse_number(word, NODES_MAX, &number))
        return (uint32_t)number;
    uint32_t count = cluster_nodes_read(nodes, NODES_MAX);
    for (uint32_t i = 0; i < count; i++)
        if (strncmp(nodes[i].name, word, sizeof nodes[i].name) == 0)
            return nodes[i].node;
    return strncmp(word, "node", 4) == 0 && parse_number(word + 4, NODES_MAX, &number) ? (uint32_t)number : 0;
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
    err_t err = cluster_members(cluster_handle(), os_deadline_ms(90000), action, node, &result, words);
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

/* ---- keys ---- */

int put_run(int argc, char **argv)
{
    uint64_t revision;
    handle_t cluster = cluster_handle();
    if (argc != 3 || !argv[1][0])
        return usage();
    if (!cluster)
        return 1;
    if (strlen(argv[1]) > CLUSTER_PUT_KEY_MAX || strlen(argv[2]) > CLUSTER_PUT_VALUE_MAX)
        return fail("a key has at most %u bytes, a value %u", CLUSTER_PUT_KEY_MAX, CLUSTER_PUT_VALUE_MAX);
    err_t err =
        cluster_put(cluster, os_deadline_ms(30000), UINT64_MAX, argv[1], argv[2], (uint32_t)strlen(argv[2]), &revision);
    return err ? fail("%s: %s", argv[1], words_for(err)) : 0;
}

int get_run(int argc, char **argv)
{
    static char value[CLUSTER_GET_VALUE_MAX];
    uint64_t revision;
    uint32_t length;
    handle_t cluster = cluster_handle();
    if (argc != 2)
        return usage();
    if (!cluster)
        return 1;
    err_t err = cluster_get(cluster, os_deadline_ms(30000), argv[1], &revision, value, sizeof value, &length);
    if (err)
        return fail("%s: %s", argv[1], err == E_NOT_FOUND ? "there is no such key" : words_for(err));
    fwrite(value, 1, length, stdout);
    putchar('\n');
    return 0;
}

int del_run(int argc, char **argv)
{
    uint64_t revision;
    handle_t cluster = cluster_handle();
    if (argc != 2)
        return usage();
    if (!cluster)
        return 1;
    err_t err = cluster_del(cluster, os_deadline_ms(30000), UINT64_MAX, argv[1], &revision);
    return err ? fail("%s: %s", argv[1], err == E_NOT_FOUND ? "there is no such key" : words_for(err)) : 0;
}

/* Shows one part of a list of keys; the last key goes to `after`. False when the part is malformed. */
static bool show_keys(const uint8_t *at, uint32_t bytes, char *after)
{
    while (bytes >= 16) {
        uint64_t revision;
        uint32_t lengths[2];
        memcpy(&revision, at, 8);
        memcpy(lengths, at + 8, 8);
        uint32_t padded = (lengths[1] + 7) & ~7u;
        if (lengths[1] > CLUSTER_LIST_AFTER_MAX || padded > bytes - 16)
            return false;
        memcpy(after, at + 16, lengths[1]);
        after[lengths[1]] = 0;
        printf("%10llu %6u  %s\n", (unsigned long long)revision, lengths[0], after);
        at += 16 + padded;
        bytes -= 16 + padded;
    }
    return bytes == 0;
}

int keys_run(int argc, char **argv)
{
    static uint8_t keys[CLUSTER_LIST_KEYS_MAX];
    char after[CLUSTER_LIST_AFTER_MAX + 1] = "";
    handle_t cluster = cluster_handle();
    uint32_t length;
    if (argc > 2)
        return usage();
    if (!cluster)
        return 1;
    printf("  REVISION  BYTES  KEY\n");
    do {
        err_t err =
            cluster_list(cluster, os_deadline_ms(30000), argc > 1 ? argv[1] : "", after, keys, sizeof keys, &length);
        if (err)
            return fail("%s", words_for(err));
        if (!show_keys(keys, length, after))
            return fail("the answer is malformed");
    } while (length > 0);
    return 0;
}
