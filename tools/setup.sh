#!/bin/bash
# Installs the Debian packages that building, running and testing Shoal needs. Usage: setup.sh STAMP
# Says what it does; asks for nothing; does nothing when all of them are there.
set -eu

packages=(
    clang lld llvm libclang-rt-14-dev   # the compiler for kernel and programs
    gcc libc6-dev binutils gnu-efi      # the UEFI loader
    python3 python3-pytest              # generators, the cluster runner, the system tests
    qemu-system-x86 qemu-utils ovmf     # the machines
    mtools dosfstools                   # the boot disk, made without root
    newlib-source xz-utils dpkg-dev     # third-party sources
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
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "setup: packages are missing and this is neither root nor is there sudo; as root, run:" >&2
        echo "  apt-get install --no-install-recommends $*" >&2
        exit 1
    fi
}

main() {
    local stamp=$1 wanted
    if ! command -v apt-get >/dev/null; then
        echo "setup: no apt-get here. Shoal is built on Debian 12 (amd64); elsewhere install what tools/setup.sh lists." >&2
        exit 1
    fi
    mapfile -t wanted < <(missing "${packages[@]}")
    if [ ${#wanted[@]} -gt 0 ]; then
        echo "setup: installing ${#wanted[@]} Debian packages: ${wanted[*]}"
        as_root apt-get -qq update
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends "${wanted[@]}" >"$stamp.log" 2>&1 ||
            { tail -n 30 "$stamp.log" >&2; echo "setup: apt-get failed; its whole output is in $stamp.log" >&2; exit 1; }
        echo "setup: done"
    fi
    touch "$stamp"
}

main "$1"
