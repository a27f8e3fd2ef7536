/* Finding UARTs. */
#pragma once

#include <abi/types.h>

#define UART_COM1_PORT 0x3f8
#define UART_COM2_PORT 0x2f8

bool uart_answers(uint16_t port);

/* Move the early console to what ACPI's SPCR names. */
void uart_use_ports(uint16_t port);
void uart_use_memory(volatile uint8_t *registers, uint32_t stride);
