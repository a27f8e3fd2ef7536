#include "tree.h"

#include <string.h>

#include <base/assert.h>

static int compare(const uint8_t *a, uint32_t a_bytes, const uint8_t *b, uint32_t b_bytes)
{
    uint32_t common = a_bytes < b_bytes ? a_bytes : b_bytes;
    int order = common ? memcmp(a, b, common) : 0;
    if (order)
        return order;
    return a_bytes < b_bytes ? -1 : a_bytes > b_bytes;
}

static int compare_nodes(const struct tree_node *a, const struct tree_node *b)
{
    return compare(a->name, a->name_bytes, b->name, b->name_bytes);
}

struct tree_node *tree_find(const struct tree *tree, struct tables_text name)
{
    struct tree_node *node = tree->root;
    while (node) {
        int order = compare(name.at, name.bytes, node->name, node->name_bytes);
        if (!order)
            return node;
        node = order < 0 ? node->left : node->right;
    }
    return NULL;
}

struct tree_node *tree_find_number(const struct tree *tree, uint64_t number)
{
    struct tree_number n = tree_number(number);
    return tree_find(tree, (struct tables_text){n.bytes, sizeof(n.bytes)});
}

struct tree_node *tree_above(const struct tree *tree, const struct tables_text *name)
{
    struct tree_node *node = tree->root, *best = NULL;
    while (node) {
        if (!name || compare(name->at, name->bytes, node->name, node->name_bytes) < 0) {
            best = node;
            node = node->left;
        } else {
            node = node->right;
        }
    }
    return best;
}

struct tree_node *tree_above_number(const struct tree *tree, uint64_t number)
{
    struct tree_number n = tree_number(number);
    return tree_above(tree, &(struct tables_text){n.bytes, sizeof(n.bytes)});
}

struct tree_node *tree_next(const struct tree *tree, const struct tree_node *node)
{
    return tree_above(tree, node ? &(struct tables_text){node->name, node->name_bytes} : NULL);
}

bool tree_precedes(struct tables_text name, const struct tree_node *node)
{
    return compare(name.at, name.bytes, node->name, node->name_bytes) < 0;
}

/* Turns a left link of the node's own level into a right one. */
static struct tree_node *skew(struct tree_node *node)
{
    if (!node || !node->left || node->left->level != node->level)
        return node;
    struct tree_node *up = node->left;
    node->left = up->right;
    up->right = node;
    return up;
}

/* Lifts the middle of two right links of one level. */
static struct tree_node *split(struct tree_node *node)
{
    if (!node || !node->right || !node->right->right || node->right->right->level != node->level)
        return node;
    struct tree_node *up = node->right;
    node->right = up->left;
    up->left = node;
    up->level++;
    return up;
}

static struct tree_node *insert_below(struct tree_node *root, struct tree_node *node)
{
    if (!root)
        return node;
    int order = compare_nodes(node, root);
    ASSERT(order != 0);
    if (order < 0)
        root->left = insert_below(root->left, node);
    else
        root->right = insert_below(root->right, node);
    return split(skew(root));
}

void tree_insert(struct tree *tree, struct tree_node *node)
{
    node->left = node->right = NULL;
    node->level = 1;
    tree->root = insert_below(tree->root, node);
    tree->count++;
}

static uint32_t level_of(const struct tree_node *node)
{
    return node ? node->level : 0;
}

static struct tree_node *rebalance(struct tree_node *node)
{
    uint32_t left = level_of(node->left), right = level_of(node->right);
    uint32_t fit = (left < right ? left : right) + 1;
    if (fit < node->level) {
        node->level = fit;
        if (right > fit)
            node->right->level = fit;
    }
    node = skew(node);
    node->right = skew(node->right);
    if (node->right)
        node->right->right = skew(node->right->right);
    node = split(node);
    node->right = split(node->right);
    return node;
}

static struct tree_node *remove_below(struct tree_node *root, const struct tree_node *victim);

/* Takes root's neighbour in order out from below and puts it in root's place. */
static struct tree_node *replace(struct tree_node *root)
{
    struct tree_node *heir;
    if (!root->left && !root->right)
        return NULL;
    if (!root->left) {
        heir = root->right; /* of the lowest level, as root is: it has nothing on its left */
        ASSERT(!heir->left);
        root->right = remove_below(root->right, heir);
    } else {
        for (heir = root->left; heir->right; heir = heir->right)
            ;
        root->left = remove_below(root->left, heir);
    }
    heir->left = root->left;
    heir->right = root->right;
    heir->level = root->level;
    return heir;
}

static struct tree_node *remove_below(struct tree_node *root, const struct tree_node *victim)
{
    ASSERT(root != NULL);
    int order = compare_nodes(victim, root);
    if (order < 0)
        root->left = remove_below(root->left, victim);
    else if (order > 0)
        root->right = remove_below(root->right, victim);
    else
        root = replace(root);
    return root ? rebalance(root) : NULL;
}

void tree_remove(struct tree *tree, struct tree_node *node)
{
    tree->root = remove_below(tree->root, node);
    tree->count--;
}
