/* What the generated client stubs are made of. Programs use the stubs, not this. */
#pragma once

#include <base/msg.h>

/* Prepares *m over this thread's IPC buffer. E_UPWARD when the service's level is not below the process's own. */
err_t stub_begin(struct msg *m, uint32_t service_level);

/* Sends *m and takes the answer in; the answer's own error is returned like the call's. */
err_t stub_call(handle_t service, struct msg *m, uint64_t deadline);

/* Closes the handles of an answer that was not as it must be; returns err. */
err_t stub_refuse(const struct msg *m, err_t err);

uint32_t stub_length(const char *text);
void stub_take_string(char *to, const char *from, uint32_t length);
void stub_take_bytes(void *to, uint32_t *length_out, const void *from, uint32_t length);
void stub_take_handle(handle_t *to, handle_t handle);
