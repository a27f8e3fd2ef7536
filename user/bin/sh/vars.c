/* Variables: the environment, and what only the shell knows. */
#include "shell.h"

#include <abi/ids.h>
#include <os/startup.h>
#include <shoal/cluster.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As `ps` has it. A shell that began before its node had a number was not told it. */
static uint32_t own_node(void)
{
    struct cluster_status status;
    uint32_t node = PROCESS_ID_NODE(os_startup()->process_id);
    if (node == 0 && shoal_cluster() && shoal_cluster_status(shoal_cluster(), shoal_in_ms(500), &status) == E_OK)
        node = status.node;
    return node;
}

const char *variable_get(const char *name)
{
    static char number[24];
    if (strcmp(name, "?") == 0)
        return snprintf(number, sizeof number, "%d", shell.status), number;
    if (strcmp(name, "$") == 0) {
        uint64_t id = os_startup()->process_id;
        return snprintf(number, sizeof number, "%u.%u", own_node(), PROCESS_ID_SERIAL(id)), number;
    }
    if (strcmp(name, "#") == 0)
        return snprintf(number, sizeof number, "%d", shell.argc > 0 ? shell.argc - 1 : 0), number;
    if (name[0] >= '0' && name[0] <= '9') {
        int n = atoi(name);
        return n < shell.argc ? shell.argv[n] : NULL;
    }
    return getenv(name);
}

bool variable_set(const char *name, const char *value)
{
    if (setenv(name, value, 1) == 0)
        return true;
    complain("%s cannot be set: there is no memory left", name);
    return false;
}

static const char *value(const char *name, void *context)
{
    return variable_get(name);
}

const struct expander shell_expander = {.value = value, .entries = directory_entries};
