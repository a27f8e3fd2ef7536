HOST_SRCS_node := $(wildcard kernel/cluster/node*.c kernel/cluster/lease.c kernel/cluster/members.c kernel/cluster/recover.c lib/raft/src/*.c lib/link/src/*.c lib/seal/src/*.c \
  lib/tables/src/*.c lib/base/*.c) tests/host/lib/base_assert.c tests/host/node/lab.c tests/host/node/disk.c
HOST_FLAGS_node := -Ikernel/cluster -Ilib/base/include -Ilib/wire/include -Ilib/seal/include -Ilib/link/include \
  -Ilib/raft/include -Ilib/tables/include -isystem $(THIRD)/bearssl/src/inc
HOST_LIBS_node := $(BUILD)/host/bearssl.a
HOST_NEEDS_node := $(BUILD)/host/bearssl.a
