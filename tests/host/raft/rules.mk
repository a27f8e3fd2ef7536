HOST_SRCS_raft := $(wildcard lib/raft/src/*.c) tests/host/lib/base_assert.c tests/host/raft/cluster.c
HOST_FLAGS_raft := -Ilib/base/include -Ilib/raft/include
