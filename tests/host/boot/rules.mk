# The loader's pure parts, on the host.
HOST_SRCS_boot := boot/sha256.c boot/bundle_check.c boot/elf.c boot/memory_map.c boot/smbios.c
HOST_FLAGS_boot := -Iboot
