#include <os/log.h>
#include <shoal/outcome.h>

/* The kernel says E_NOT_DELIVERED for what it has not begun; these are of what may have run, or may yet. */
enum shoal_outcome shoal_outcome(err_t err)
{
    if (err == E_OK)
        return SHOAL_DONE;
    return err == E_UNKNOWN || err == E_GONE || err == E_DROPPED || err == E_INTERRUPTED ? SHOAL_UNKNOWN
                                                                                         : SHOAL_REFUSED;
}

const char *shoal_error_text(err_t err)
{
    return os_error_text(err);
}
