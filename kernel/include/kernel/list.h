/* A doubly linked ring with the node inside the element. An unlinked node points at itself. */
#pragma once

#include <abi/types.h>
#include <kernel/fast.h>

struct list {
    struct list *next, *prev;
};

#define LIST_INIT(name)                                                                                                \
    {                                                                                                                  \
        &(name), &(name)                                                                                               \
    }
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

always_inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
static inline bool list_linked(const struct list *node)
{
    return node->next != node;
}

always_inline void list_insert_before(struct list *position, struct list *node)
{
    struct list *prev = position->prev;
    node->next = position;
    node->prev = prev;
    prev->next = node;
    position->prev = node;
}

always_inline void list_append(struct list *l, struct list *node)
{
    list_insert_before(l, node);
}
static inline void list_prepend(struct list *l, struct list *node)
{
    list_insert_before(l->next, node);
}

always_inline void list_remove(struct list *node)
{
    struct list *next = node->next, *prev = node->prev;
    prev->next = next;
    next->prev = prev;
    list_init(node);
}

/* The first node, unlinked; NULL when empty. */
static inline struct list *list_pop(struct list *l)
{
    struct list *first = l->next;
    if (first == l)
        return NULL;
    list_remove(first);
    return first;
}

#define list_for_each(node, l) for (struct list *node = (l)->next; node != (l); node = node->next)
/* The current node may be removed. */
#define list_for_each_safe(node, l)                                                                                    \
    for (struct list *node = (l)->next, *node##_next = node->next; node != (l);                                        \
         node = node##_next, node##_next = node->next)
