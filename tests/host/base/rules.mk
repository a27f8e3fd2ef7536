HOST_SRCS_base := $(wildcard lib/base/*.c) tests/host/lib/base_assert.c
HOST_FLAGS_base := -Ilib/base/include
