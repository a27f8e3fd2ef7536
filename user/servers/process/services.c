/* The supervisor's servers, drivers and shells, as they stand in lists of processes. */
#include "process.h"

#include <idl/supervisor.h>
#include <os/service.h>
#include <os/startup.h>
#include <string.h>

#define ASK_MS 1000u /* the supervisor waits for nobody */

static struct service_row page[SUPERVISOR_SERVICES_ROWS_MAX / sizeof(struct service_row)];

/* How many rows of services there are from `position` on, in `page`. */
static uint32_t read_page(uint32_t position, uint32_t *next)
{
    uint32_t length = 0;
    err_t err = supervisor_services(os_startup_handle(STARTUP_SUPERVISOR), os_deadline_ms(ASK_MS), position, next, page,
                                    sizeof page, &length);
    return err ? 0 : length / (uint32_t)sizeof page[0];
}

static void fill_row(const struct service_row *s, struct process_row *row)
{
    *row = (struct process_row){.id = PROCESS_ID(own_node(), s->serial),
                                .memory_bytes = s->memory_bytes,
                                .cpu_ns = s->cpu_ns,
                                .state = 1,
                                .threads = s->threads,
                                .kind = s->kind};
    memcpy(row->command, s->name, sizeof s->name);
}

uint32_t services_rows(uint64_t position, struct process_row *rows, uint32_t room, uint64_t *next_out)
{
    uint32_t next = (uint32_t)position, count = 0, read = 0;
    while (position < UINT32_MAX && count == 0 && (read = read_page((uint32_t)position, &next)) > 0) {
        for (uint32_t i = 0; i < read && count < room; i++)
            if (page[i].state == SERVICE_RUNNING)
                fill_row(&page[i], &rows[count++]);
        position = next;
    }
    *next_out = CHILDREN_MAX + position;
    return count;
}

err_t services_number(uint64_t kernel_id, uint64_t *id_out)
{
    uint32_t position = 0, next = 0;
    for (uint32_t count; (count = read_page(position, &next)) > 0; position = next) {
        for (uint32_t i = 0; i < count; i++) {
            if (page[i].state != SERVICE_RUNNING || PROCESS_ID(own_node(), page[i].kernel_serial) != kernel_id)
                continue;
            *id_out = PROCESS_ID(own_node(), page[i].serial);
            return E_OK;
        }
    }
    return E_NOT_FOUND;
}
