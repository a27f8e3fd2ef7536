HOST_SRCS_sdk := user/sdk/lib/stuck.c user/sdk/lib/session.c user/sdk/lib/outcome.c user/sdk/lib/deadline.c tests/host/sdk/fake.c
HOST_FLAGS_sdk := -Itests/host/sdk/fake -Iuser/sdk/include -Iuser/libos/include -Ilib/base/include -I$(GEN)
HOST_NEEDS_sdk := $(IDL_STAMP)
