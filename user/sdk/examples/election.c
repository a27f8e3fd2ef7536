/* election: stands for an office, publishes where it is to be found, and then something else. */
#include <abi/ids.h>
#include <shoal/election.h>
#include <stdio.h>

static err_t show(handle_t cluster)
{
    struct shoal_elected elected;
    err_t err = shoal_elected(cluster, shoal_in_ms(5000), "example/chief", &elected);
    if (!err)
        printf("a process of node %u is elected: %s\n", (unsigned)PROCESS_ID_NODE(elected.process_id), elected.value);
    return err;
}

int main(void)
{
    handle_t cluster = shoal_cluster();
    struct shoal_hold office;
    err_t err = shoal_elect(cluster, shoal_in_ms(30000), "example/chief", "busy", 4, &office);
    if (!err)
        err = show(cluster);
    if (!err)
        err = shoal_proclaim(&office, shoal_in_ms(5000), "ready", 5);
    if (!err)
        err = show(cluster);
    if (!err)
        err = shoal_release(&office, shoal_in_ms(5000));
    if (err) {
        fprintf(stderr, "election: %s\n", shoal_error_text(err));
        return 1;
    }
    printf("then: %s\n", shoal_error_text(show(cluster)));
    return 0;
}
