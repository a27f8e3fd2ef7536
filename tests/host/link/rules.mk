HOST_SRCS_link := $(wildcard lib/link/src/*.c lib/seal/src/*.c) lib/base/crc32c.c tests/host/lib/base_assert.c \
  tests/host/link/network.c
HOST_FLAGS_link := -Ilib/base/include -Ilib/wire/include -Ilib/seal/include -Ilib/link/include \
  -isystem $(THIRD)/bearssl/src/inc
HOST_LIBS_link := $(BUILD)/host/bearssl.a
HOST_NEEDS_link := $(BUILD)/host/bearssl.a
