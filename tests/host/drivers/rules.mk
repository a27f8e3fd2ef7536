HOST_SRCS_drivers := drivers/serial/uart.c drivers/lib/virtqueue.c
HOST_FLAGS_drivers := -Idrivers/lib/include -Idrivers/serial
