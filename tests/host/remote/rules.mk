HOST_SRCS_remote := kernel/cluster/remote_wire.c
HOST_FLAGS_remote := -Ikernel/cluster -Ilib/wire/include -Ilib/base/include
