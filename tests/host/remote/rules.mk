HOST_SRCS_remote := $(wildcard kernel/cluster/remote_*.c) kernel/cluster/authority.c kernel/cluster/permissions.c kernel/ipc/call.c kernel/ipc/fence.c kernel/ipc/guard.c kernel/object/object.c tests/host/remote/here.c
HOST_FLAGS_remote := -Ikernel/cluster -Ikernel/include -Ikernel/ipc -I$(GEN) -Ilib/wire/include -Ilib/base/include
HOST_NEEDS_remote := $(IDL_STAMP)
