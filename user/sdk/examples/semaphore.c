/* semaphore: of all that run this, two at a time do what stands between. */
#include <shoal/semaphore.h>
#include <stdio.h>

int main(void)
{
    struct shoal_hold permit;
    err_t err = shoal_semaphore(shoal_cluster(), shoal_in_ms(30000), "example/semaphore", 2, &permit);
    if (err) {
        fprintf(stderr, "semaphore: no permit: %s\n", shoal_error_text(err));
        return 1;
    }
    puts("one of two");
    err = shoal_release(&permit, shoal_in_ms(5000));
    printf("released: %s\n", shoal_error_text(err));
    return err != E_OK;
}
