# The loader's pure parts, and what of lib/base it checks the bundle with.
HOST_SRCS_boot := boot/kernel_file.c boot/key_variable.c boot/memory_map.c boot/smbios.c lib/base/bundle.c lib/base/config.c lib/base/format.c lib/base/sha256.c
HOST_FLAGS_boot := -Iboot -Ilib/base/include
