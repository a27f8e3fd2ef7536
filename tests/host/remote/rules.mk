HOST_SRCS_remote := $(wildcard kernel/cluster/remote_*.c) kernel/ipc/call.c kernel/object/object.c tests/host/remote/here.c
HOST_FLAGS_remote := -Ikernel/cluster -Ikernel/include -Ikernel/ipc -Ilib/wire/include -Ilib/base/include
