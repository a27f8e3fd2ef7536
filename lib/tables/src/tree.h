/* Ordered trees of named things. A number is named by its eight bytes, highest first, so all trees are one kind.
 * Balanced (an AA tree), intrusive; the order of walking depends on the names alone. */
#pragma once

#include <tables/op.h>

struct tree_node {
    struct tree_node *left, *right;
    const uint8_t *name; /* owned by whatever embeds the node */
    uint32_t name_bytes;
    uint32_t level;
};

struct tree {
    struct tree_node *root;
    uint32_t count;
};

struct tree_number {
    uint8_t bytes[8];
};

static inline struct tree_number tree_number(uint64_t value)
{
    struct tree_number n;
    for (int i = 0; i < 8; i++)
        n.bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    return n;
}

struct tree_node *tree_find(const struct tree *tree, struct tables_text name);
struct tree_node *tree_find_number(const struct tree *tree, uint64_t number);
/* The first strictly above `name`; the very first if `name` is NULL. */
struct tree_node *tree_above(const struct tree *tree, const struct tables_text *name);
struct tree_node *tree_above_number(const struct tree *tree, uint64_t number);
struct tree_node *tree_next(const struct tree *tree, const struct tree_node *node); /* NULL: the first */
bool tree_precedes(struct tables_text name, const struct tree_node *node);          /* name < the node's */
/* The name must not be there yet. */
void tree_insert(struct tree *tree, struct tree_node *node);
void tree_remove(struct tree *tree, struct tree_node *node);
