#!/bin/bash
# Serves Shoal's boot files over PXE to real machines. Usage: pxe_serve.sh INTERFACE BUILD [--print]
# The interface needs a fixed address; machines behind it get addresses from the upper half of its network. Only the boot
# loader, the bundle and shoal.conf are served: the cluster key never travels over the network (docs: put it on a local
# disk of each machine, as shoal.key).
set -eu
interface=$1 build=$2 only_print=${3:-}

fail() { echo "pxe-serve: $*" >&2; exit 1; }

[ -n "$interface" ] || fail "say which network card: make pxe-serve IFACE=eth1 (there are: $(ls /sys/class/net | tr '\n' ' '))"
[ -d "/sys/class/net/$interface" ] || fail "there is no network card $interface (there are: $(ls /sys/class/net | tr '\n' ' '))"
address=$(ip -4 -o addr show dev "$interface" | awk '{print $4; exit}')
[ -n "$address" ] || fail "$interface has no IPv4 address; for example: ip addr add 10.0.0.254/24 dev $interface"

own=${address%/*}
first="${own%.*}.128" last="${own%.*}.250"
root=$build/tftp
mkdir -p "$root"
cp "$build/BOOTX64.EFI" "$build/shoal.img" "$build/shoal.conf" "$root"

command=(dnsmasq --no-daemon --conf-file=/dev/null --port=0 "--interface=$interface" --bind-interfaces
    "--dhcp-range=$first,$last,255.255.255.0,12h" --dhcp-match=set:efi,option:client-arch,7
    --dhcp-match=set:efi,option:client-arch,9 --dhcp-boot=tag:efi,BOOTX64.EFI --no-ping
    --enable-tftp "--tftp-root=$(realpath "$root")" --log-dhcp "--dhcp-leasefile=$build/dnsmasq.leases" --pid-file=)
echo "pxe-serve: machines on $interface get $first to $last and boot Shoal from $root; ^C ends it"
echo "+ ${command[*]}"
[ "$only_print" != --print ] || exit 0
command -v dnsmasq >/dev/null || fail "dnsmasq is missing: apt-get install dnsmasq-base"
if [ "$(id -u)" = 0 ]; then exec "${command[@]}"; else exec sudo "${command[@]}"; fi
