/* Permissions only ever shrink, and every operation asks for its own class and, where it has a name, for the prefix. */
#include <abi/transaction.h>

#include "permissions.h"

#include <idl/cluster_codec.h>
#include <test/check.h>

static struct permissions narrowed(uint32_t classes, const char *prefix)
{
    struct permissions p;
    CHECK_EQUAL(permissions_narrow(&permissions_all, classes, prefix, (uint32_t)strlen(prefix), &p), E_OK);
    return p;
}

static err_t narrow(const struct permissions *own, uint32_t classes, const char *prefix)
{
    struct permissions p = {0}, none = {0};
    err_t err = permissions_narrow(own, classes, prefix, (uint32_t)strlen(prefix), &p);
    CHECK(err == E_OK || permissions_equal(&p, &none));
    return err;
}

static void test_never_wider(void)
{
    struct permissions p = narrowed(CLUSTER_MAY_READ | CLUSTER_MAY_LOCKS, "app/");
    CHECK_EQUAL(narrow(&p, CLUSTER_MAY_READ, "app/"), E_OK);
    CHECK_EQUAL(narrow(&p, 0, "app/x/"), E_OK);
    CHECK_EQUAL(narrow(&p, CLUSTER_MAY_READ, ""), E_NO_RIGHT);
    CHECK_EQUAL(narrow(&p, CLUSTER_MAY_READ, "app"), E_NO_RIGHT);
    CHECK_EQUAL(narrow(&p, CLUSTER_MAY_READ, "apx/"), E_NO_RIGHT);
    for (uint32_t bit = 1; bit <= CLUSTER_MAY_ALL; bit <<= 1)
        CHECK_EQUAL(narrow(&p, bit, "app/"), bit & p.classes ? E_OK : E_NO_RIGHT);
    CHECK_EQUAL(narrow(&permissions_all, CLUSTER_MAY_ALL + 1, ""), E_INVALID);
    char text[CLUSTER_PREFIX_MAX + 2];
    memset(text, 'a', sizeof text);
    struct permissions out;
    CHECK_EQUAL(permissions_narrow(&permissions_all, 1, text, CLUSTER_PREFIX_MAX + 1, &out), E_INVALID);
    CHECK_EQUAL(permissions_narrow(&permissions_all, 1, text, CLUSTER_PREFIX_MAX, &out), E_OK);
    text[3] = 0;
    CHECK_EQUAL(permissions_narrow(&permissions_all, 1, text, 10, &out), E_INVALID);
}

/* Every operation, by its own table: refused when one of its classes is missing, whatever the message. */
static void test_every_operation_needs_its_classes(void)
{
    static const struct {
        uint32_t op, classes;
    } ops[] = {
#define NEEDS(op, OP, classes)             {CLUSTER_OP_##OP, classes},
#define NEEDS_NAME(op, OP, classes, field) NEEDS(op, OP, classes)
#define NEEDS_STEPS                        NEEDS_NAME
#include "permissions.def"
#undef NEEDS_STEPS
#undef NEEDS
#undef NEEDS_NAME
    };
    struct msg nothing = {0};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        for (uint32_t bit = 1; bit <= CLUSTER_MAY_ALL; bit <<= 1) {
            struct permissions p = narrowed(CLUSTER_MAY_ALL & ~bit, "");
            err_t err = permissions_check(&p, ops[i].op, &nothing);
            CHECK((err == E_NO_RIGHT) == ((bit & ops[i].classes) != 0));
        }
    }
    CHECK_EQUAL(permissions_check(&permissions_all, CLUSTER_SERVICE + 255, &nothing), E_BAD_SYSCALL);
    CHECK_EQUAL(permissions_check(&permissions_all, 0, &nothing), E_BAD_SYSCALL);
}

/* What the classes are for, written down a second time. */
static void test_the_classes_of_what_matters(void)
{
    static const struct {
        uint32_t op, class;
    } ops[] = {{CLUSTER_OP_PUT, CLUSTER_MAY_WRITE},        {CLUSTER_OP_DEL, CLUSTER_MAY_WRITE},
               {CLUSTER_OP_APPEND, CLUSTER_MAY_SESSIONS},  {CLUSTER_OP_LOCK, CLUSTER_MAY_LOCKS},
               {CLUSTER_OP_UNLOCK, CLUSTER_MAY_LOCKS},     {CLUSTER_OP_NAME_REGISTER, CLUSTER_MAY_NAMES},
               {CLUSTER_OP_NODE_OFFER, CLUSTER_MAY_SERVE}, {CLUSTER_OP_JOB_NEXT, CLUSTER_MAY_SERVE},
               {CLUSTER_OP_JOB_REPORT, CLUSTER_MAY_SERVE}, {CLUSTER_OP_JOB_SUBMIT, CLUSTER_MAY_JOBS},
               {CLUSTER_OP_JOB_KILL, CLUSTER_MAY_JOBS},    {CLUSTER_OP_NODE_SERVICE, CLUSTER_MAY_NODES},
               {CLUSTER_OP_GET, CLUSTER_MAY_READ},         {CLUSTER_OP_JOB_LIST, CLUSTER_MAY_READ},
               {CLUSTER_OP_KEY, CLUSTER_MAY_KEY}};
    struct msg nothing = {0};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        struct permissions p = narrowed(CLUSTER_MAY_ALL & ~ops[i].class, "");
        CHECK_EQUAL(permissions_check(&p, ops[i].op, &nothing), E_NO_RIGHT);
    }
}

static uint8_t bytes[IPC_BYTES_MAX];
static handle_t handles[IPC_HANDLES_MAX];

static err_t put(const struct permissions *p, const char *key)
{
    struct msg m = {.bytes = bytes, .handles = handles};
    struct cluster_put_in in = {.key = key, .key_length = (uint32_t)strlen(key), .value = "v", .value_length = 1};
    CHECK_EQUAL(cluster_put_in_encode(&in, &m), E_OK);
    return permissions_check(p, CLUSTER_OP_PUT, &m);
}

/* A transaction with steps on these two keys. */
static err_t txn(const struct permissions *p, const char *first, const char *second)
{
    struct msg m = {.bytes = bytes, .handles = handles};
    uint8_t steps[64] = {0};
    const char *keys[] = {first, second};
    for (uint32_t i = 0; i < 2; i++) {
        struct txn_step step = {.section = TXN_THEN, .kind = TXN_DELETE, .name_bytes = (uint16_t)strlen(keys[i])};
        memcpy(steps + 32 * i, &step, sizeof step);
        memcpy(steps + 32 * i + sizeof step, keys[i], strlen(keys[i]));
    }
    struct cluster_txn_in in = {.steps = steps, .steps_length = sizeof steps};
    CHECK_EQUAL(cluster_txn_in_encode(&in, &m), E_OK);
    return permissions_check(p, CLUSTER_OP_TXN, &m);
}

static void test_every_step_of_a_transaction_has_the_prefix(void)
{
    struct permissions p = narrowed(CLUSTER_MAY_ALL, "app/");
    CHECK_EQUAL(txn(&p, "app/key one", "app/key two"), E_OK);
    CHECK_EQUAL(txn(&p, "app/key one", "ape/key two"), E_NO_RIGHT);
    CHECK_EQUAL(txn(&p, "app/key one", "app/"), E_BAD_MESSAGE); /* 8 bytes are left over */
}

static err_t list(const struct permissions *p, const char *prefix)
{
    struct msg m = {.bytes = bytes, .handles = handles};
    struct cluster_list_in in = {.prefix = prefix, .prefix_length = (uint32_t)strlen(prefix), .after = ""};
    CHECK_EQUAL(cluster_list_in_encode(&in, &m), E_OK);
    return permissions_check(p, CLUSTER_OP_LIST, &m);
}

static void test_prefixes(void)
{
    struct permissions p = narrowed(CLUSTER_MAY_READ | CLUSTER_MAY_WRITE, "app/");
    CHECK_EQUAL(put(&p, "app/x"), E_OK);
    CHECK_EQUAL(put(&p, "app/"), E_OK);
    CHECK_EQUAL(put(&p, "app"), E_NO_RIGHT);
    CHECK_EQUAL(put(&p, "other"), E_NO_RIGHT);
    CHECK_EQUAL(put(&p, "xapp/"), E_NO_RIGHT);
    CHECK_EQUAL(put(&p, ""), E_NO_RIGHT);
    CHECK_EQUAL(list(&p, "app/x"), E_OK);
    CHECK_EQUAL(list(&p, ""), E_NO_RIGHT);
    struct msg cut = {.tag = TAG(CLUSTER_OP_PUT, 1, 0, 8), .bytes = bytes, .handles = handles};
    CHECK_EQUAL(permissions_check(&p, CLUSTER_OP_PUT, &cut), E_BAD_MESSAGE);
}

int main(void)
{
    RUN(test_never_wider);
    RUN(test_every_operation_needs_its_classes);
    RUN(test_the_classes_of_what_matters);
    RUN(test_every_step_of_a_transaction_has_the_prefix);
    RUN(test_prefixes);
    return 0;
}
