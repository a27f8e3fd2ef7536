HOST_SRCS_base := lib/base/crc32c.c lib/base/ring.c lib/base/logformat.c
HOST_FLAGS_base := -Ilib/base/include
