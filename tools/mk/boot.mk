# The UEFI loader build/BOOTX64.EFI (GNU-EFI) and the boot disk build/disk.img, made without root.
BOOT_OUT := $(BUILD)/boot
BOOT_SRCS := $(wildcard boot/*.c) lib/base/bundle.c lib/base/config.c lib/base/format.c lib/base/sha256.c
BOOT_OBJS := $(BOOT_SRCS:%.c=$(BOOT_OUT)/%.o)
# Distributions put these in different places.
GNU_EFI_CRT0 = $(firstword $(wildcard /usr/lib/crt0-efi-x86_64.o /usr/lib/gnuefi/crt0-efi-x86_64.o /usr/lib/*/gnuefi/crt0-efi-x86_64.o))
GNU_EFI_LDS = $(firstword $(wildcard /usr/lib/elf_x86_64_efi.lds /usr/lib/gnuefi/elf_x86_64_efi.lds /usr/lib/*/gnuefi/elf_x86_64_efi.lds))
BOOT_CFLAGS := -std=gnu11 -O2 -fpic -ffreestanding -fno-stack-protector -fno-stack-check -fshort-wchar -mno-red-zone \
  -maccumulate-outgoing-args -fcf-protection=none -DGNU_EFI_USE_MS_ABI -fno-strict-aliasing -Wall -Wextra -Werror \
  -Wno-unused-parameter -Wstrict-prototypes -Wvla -Iabi/include -Ilib/base/include -isystem /usr/include/efi -isystem /usr/include/efi/x86_64

$(BOOT_OUT)/%.o: %.c
	@mkdir -p $(@D)
	@gcc $(BOOT_CFLAGS) -MMD -MP -c $< -o $@
-include $(BOOT_OBJS:.o=.d)

$(BUILD)/BOOTX64.EFI: $(BOOT_OBJS)
	@ld -nostdlib -znocombreloc -T $(GNU_EFI_LDS) -shared -Bsymbolic -L/usr/lib $(GNU_EFI_CRT0) $^ \
	  -o $(BOOT_OUT)/loader.so -lefi -lgnuefi
	@objcopy -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j '.rel.*' -j '.rela.*' -j .rodata \
	  -j .reloc --target=efi-app-x86_64 --subsystem=10 $(BOOT_OUT)/loader.so $@

$(BUILD)/shoal.conf: boot/shoal.conf
	@cp $< $@

# A FAT file system with the loader, the bundle and the configuration, as it would be written to a stick.
$(BUILD)/disk.img: tools/mkdisk.sh $(BUILD)/BOOTX64.EFI $(BUILD)/shoal.conf $(BUILD)/shoal.img
	@tools/mkdisk.sh $@ $(BUILD)/BOOTX64.EFI $(BUILD)/shoal.img $(BUILD)/shoal.conf

build: $(BUILD)/BOOTX64.EFI $(BUILD)/shoal.conf $(if $(wildcard linker.ld),$(BUILD)/disk.img)
