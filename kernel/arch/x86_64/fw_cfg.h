/* QEMU's firmware configuration device. */
#pragma once

#include <abi/types.h>

/* Reads at most `room` bytes of a named file; *bytes_out is the file's length. False: no such file or device. */
bool fw_cfg_read(const char *name, void *to, uint32_t room, uint32_t *bytes_out);

/* The machine's UUID (-uuid); all zero if none was given. False: no such device. */
bool fw_cfg_uuid(uint8_t uuid[16]);
