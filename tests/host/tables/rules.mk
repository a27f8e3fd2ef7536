HOST_SRCS_tables := $(wildcard lib/tables/src/*.c) tests/host/lib/base_assert.c tests/host/tables/fixture.c
HOST_FLAGS_tables := -Ilib/base/include -Ilib/wire/include -Ilib/tables/include
