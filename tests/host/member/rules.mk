HOST_SRCS_member := $(wildcard lib/member/src/*.c) tests/host/lib/base_assert.c tests/host/member/lab.c
HOST_FLAGS_member := -Ilib/base/include -Ilib/wire/include -Ilib/member/include
