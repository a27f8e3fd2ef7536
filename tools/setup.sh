#!/bin/bash
# Installs the Debian packages that building, running and testing Shoal needs. Usage: setup.sh STAMP
# Says what it does; asks for nothing; does nothing when all of them are there.
set -eu -o pipefail

packages=(
    clang lld llvm libclang-rt-14-dev   # the compiler for kernel and programs
    gcc libc6-dev binutils gnu-efi      # the UEFI loader
    python3 python3-pytest              # generators, the cluster runner, the system tests
    qemu-system-x86 qemu-utils ovmf     # the machines
    mtools dosfstools                   # the boot disk, made without root
    xz-utils dpkg-dev                   # unpacking third-party sources
    libcmocka-dev                       # unit tests
    clang-format clang-tidy cppcheck    # make check
    gdb                                 # make debug
    procps iproute2
)

missing() {
    local package
    for package in "$@"; do
        dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' || echo "$package"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Everything that apt says goes to the log; how far it is, to the terminal if there is one. (apt tells it on its standard
# output, as sudo closes all other descriptors.)
follow() {
    local line kind percent what
    while IFS= read -r line; do
        case $line in
        dlstatus:* | pmstatus:*)
            IFS=: read -r kind _ percent what <<<"$line"
            [ "$kind" = dlstatus ] && kind=fetching || kind=installing
            [ ! -t 1 ] || printf '\r\033[Ksetup: %s, %d %%: %.60s' "$kind" "${percent%.*}" "$what"
            ;;
        *) printf '%s\n' "$line" >>"$1" ;;
        esac
    done
    [ ! -t 1 ] || printf '\r\033[K'
}

main() {
    local stamp=$1 wanted
    if ! command -v apt-get >/dev/null; then
        echo "setup: no apt-get here. Shoal is built on Debian 12 (amd64); elsewhere install what tools/setup.sh lists." >&2
        exit 1
    fi
    mapfile -t wanted < <(missing "${packages[@]}")
    if [ ${#wanted[@]} -gt 0 ]; then
        if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
            echo "setup: packages are missing and this is neither root nor is there sudo; as root, run:" >&2
            echo "  apt-get update && apt-get install --no-install-recommends ${wanted[*]}" >&2
            exit 1
        fi
        echo "setup: installing ${#wanted[@]} Debian packages: ${wanted[*]}"
        as_root apt-get -qq update
        : >"$stamp.log"
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends -o APT::Status-Fd=1 \
            "${wanted[@]}" 2>&1 | follow "$stamp.log" ||
            { tail -n 30 "$stamp.log" >&2; echo "setup: apt-get failed; its whole output is in $stamp.log" >&2; exit 1; }
        echo "setup: done"
    fi
    touch "$stamp"
}

main "$1"
