HOST_SRCS_seal := $(wildcard lib/seal/src/*.c) lib/base/crc32c.c tests/host/lib/base_assert.c
HOST_FLAGS_seal := -Ilib/base/include -Ilib/wire/include -Ilib/seal/include -isystem $(THIRD)/bearssl/src/inc
HOST_LIBS_seal := $(BUILD)/host/bearssl.a
HOST_NEEDS_seal := $(BUILD)/host/bearssl.a
