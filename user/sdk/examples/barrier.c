/* barrier PARTIES: waits until so many run it, on whichever nodes; twice, since a barrier can be used again. */
#include <shoal/barrier.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    uint32_t parties = argc == 2 ? (uint32_t)atoi(argv[1]) : 1;
    for (int round = 1; round <= 2; round++) {
        err_t err = shoal_barrier(shoal_cluster(), shoal_in_ms(60000), "example/barrier", parties);
        if (err) {
            fprintf(stderr, "barrier: %s\n", shoal_error_text(err));
            return 1;
        }
        printf("all were there, round %d\n", round);
    }
    return 0;
}
