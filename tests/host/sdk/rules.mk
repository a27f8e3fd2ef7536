HOST_SRCS_sdk := user/sdk/lib/stuck.c
HOST_FLAGS_sdk := -Iuser/sdk/include
