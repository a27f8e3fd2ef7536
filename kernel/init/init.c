/* Runs the boot's levels in order. */
#include <kernel/debug.h>
#include <kernel/init.h>

extern const struct init_hook init_hooks_start[], init_hooks_end[];

void init_run_all(void)
{
    for (int level = INIT_EARLY; level <= INIT_USER; level++)
        for (const struct init_hook *h = init_hooks_start; h < init_hooks_end; h++)
            if (h->level == (enum init_level)level)
                h->run();
}
