#!/bin/bash
# Makes a bootable disk image without root. Usage: mkdisk.sh IMAGE LOADER BUNDLE CONFIGURATION [KEY]
set -eu
image=$1 loader=$2 bundle=$3 config=$4 key=${5:-}
bytes=$(($(stat -c %s "$bundle") + $(stat -c %s "$loader")))
mebibytes=$((bytes / 1048576 + 40)) # FAT32 needs at least 33 MiB
trap 'rm -f "$image.new"' EXIT
rm -f "$image.new"
truncate -s "${mebibytes}M" "$image.new"
mformat -i "$image.new" -F -v SHOAL ::
mmd -i "$image.new" ::/EFI ::/EFI/BOOT
mcopy -i "$image.new" "$loader" ::/EFI/BOOT/BOOTX64.EFI
mcopy -i "$image.new" "$bundle" ::/shoal.img
mcopy -i "$image.new" "$config" ::/shoal.conf
[ -z "$key" ] || mcopy -i "$image.new" "$key" ::/shoal.key
mv "$image.new" "$image"
