/* Budgets: who pays. A child's limit is moved out of its parent when it is made, so every charge is one comparison. */
#include <kernel/debug.h>
#include <kernel/init.h>
#include <kernel/mm.h>
#include <kernel/process.h>
#include <kernel/sched.h>

struct budget root_budget;

static void budget_lists_init(struct budget *b)
{
    list_init(&b->children);
    list_init(&b->sibling);
    list_init(&b->objects);
    list_init(&b->destroy_node);
    wait_queue_init(&b->destroy_waiters);
}

err_t budget_charge(struct budget *b, uint64_t bytes)
{
    if (!b)
        return E_OK;
    if (b->dying)
        return E_GONE;
    if (bytes > b->limit - b->used)
        return E_NO_MEMORY;
    b->used += bytes;
    if (b->used > b->peak)
        b->peak = b->used;
    return E_OK;
}

void budget_uncharge(struct budget *b, uint64_t bytes)
{
    if (!b)
        return;
    assert(b->used >= bytes);
    b->used -= bytes;
}

/* The child with the smallest label that is at least `label`; NULL: none. */
static struct budget *child_from(struct budget *parent, uint64_t label)
{
    list_for_each(node, &parent->children)
    {
        struct budget *b = container_of(node, struct budget, sibling);
        if (b->label >= label)
            return b;
    }
    return NULL;
}

err_t budget_create(struct budget *parent, uint64_t bytes, uint64_t label, struct budget **out)
{
    if (label == 0)
        return E_INVALID;
    struct budget *next = child_from(parent, label);
    if (next && next->label == label)
        return E_EXISTS;
    struct budget *b;
    err_t err = budget_charge(parent, bytes);
    if (err != E_OK)
        return err;
    err = object_create(parent, OBJECT_BUDGET, sizeof(*b), &b);
    if (err != E_OK) {
        budget_uncharge(parent, bytes);
        return err;
    }
    budget_lists_init(b);
    b->parent = parent;
    b->label = label;
    b->limit = bytes;
    list_insert_before(next ? &next->sibling : &parent->children, &b->sibling);
    parent->child_count++;
    object_get(&b->object); /* it stays until it is destroyed, also when no handle is left */
    *out = b;
    return E_OK;
}

struct budget *budget_next(struct budget *parent, uint64_t label)
{
    return label == UINT64_MAX ? NULL : child_from(parent, label + 1);
}

struct process *budget_process(struct budget *b, uint64_t n)
{
    list_for_each(node, &b->objects)
    {
        struct object *o = container_of(node, struct object, budget_node);
        if (o->type == OBJECT_PROCESS && !o->dead && n-- == 0)
            return object_process(o);
    }
    return NULL;
}

/* ---- walking ---- */

/* The next Budget of the subtree of `top`, parents before children; NULL after the last. */
static struct budget *subtree_next(struct budget *top, struct budget *b)
{
    if (!list_empty(&b->children))
        return container_of(b->children.next, struct budget, sibling);
    while (b != top) {
        if (b->sibling.next != &b->parent->children)
            return container_of(b->sibling.next, struct budget, sibling);
        b = b->parent;
    }
    return NULL;
}

static void tell_processes(struct budget *b, process_found found)
{
    list_for_each(node, &b->objects)
    {
        struct object *at = container_of(node, struct object, budget_node);
        if (at->type == OBJECT_PROCESS && !at->dead)
            found(object_process(at));
    }
}

void budget_each_process(process_found found)
{
    for (struct budget *b = &root_budget; b; b = subtree_next(&root_budget, b))
        tell_processes(b, found);
}

/* ---- destroying ---- */

static void kill_runner(struct object *o)
{
    if (o->type == OBJECT_PROCESS)
        process_kill(object_process(o), EXIT_KILLED, 9);
    else if (o->type == OBJECT_THREAD)
        thread_kill(container_of(o, struct thread, object));
}

static struct object *object_after(struct budget *b, struct list *node)
{
    if (node->next == &b->objects)
        return NULL;
    struct object *o = container_of(node->next, struct object, budget_node);
    object_get(o);
    return o;
}

/* Ending one object can free others: hold the one at hand until the next is held. */
static void kill_runners(struct budget *b)
{
    struct object *o = object_after(b, &b->objects);
    while (o) {
        kill_runner(o);
        struct object *next = object_after(b, &o->budget_node);
        object_put(o);
        o = next;
    }
}

void budget_destroy_begin(struct budget *top)
{
    if (top->dying)
        return;
    for (struct budget *b = top; b; b = subtree_next(top, b)) {
        b->dying = true;
        kill_runners(b);
    }
    object_get(&top->object);
    reaper_budget(top);
}

bool budget_destroy_ready(struct budget *top)
{
    for (struct budget *b = top; b; b = subtree_next(top, b))
        if (b->busy)
            return false;
    return true;
}

/* The shell of a killed object that somebody still refers to: the parent holds it until they let go. */
static void move_to_parent(struct object *o)
{
    struct budget *parent = o->budget->parent;
    budget_uncharge(o->budget, o->charged);
    o->budget = parent;
    parent->used += o->charged;
    list_remove(&o->budget_node);
    list_append(&parent->objects, &o->budget_node);
}

static void budget_empty(struct budget *b)
{
    b->parent->used -= b->limit;
    while (!list_empty(&b->objects)) {
        struct object *o = container_of(b->objects.next, struct object, budget_node);
        object_get(o);
        object_kill(o);
        if (o->refs > 1)
            move_to_parent(o);
        object_put(o);
    }
    assert(b->used == 0);
    list_remove(&b->sibling);
    b->parent->child_count--;
    b->object.dead = true;
    b->limit = 0;
    wait_queue_wake_all(&b->destroy_waiters);
    object_put(&b->object);
}

/* Ends the deepest Budget of the subtree; true when that was `top` itself. Called by the reaper until it says so. */
bool budget_destroy_step(struct budget *top)
{
    struct budget *b = top;
    while (!list_empty(&b->children))
        b = container_of(b->children.next, struct budget, sibling);
    budget_empty(b);
    return b == top;
}

static void budget_free(struct object *o)
{
    object_shell_free(o, sizeof(struct budget));
}

static const struct object_type_ops budget_ops = {.free = budget_free};

static void budget_init(void)
{
    object_type_register(OBJECT_BUDGET, &budget_ops);
    object_init(&root_budget.object, OBJECT_BUDGET);
    budget_lists_init(&root_budget);
    root_budget.limit = mm_root_budget_bytes();
}
INIT_HOOK(INIT_OBJECTS, budget_init);
