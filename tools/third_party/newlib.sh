#!/bin/bash
# Configures, builds and installs newlib for Shoal and makes build/newlib point to the result (include/, lib/).
# Usage: newlib.sh STAMP
#
# What comes out depends on newlib's version, on the headers in user/libc/newlib and on this script. It is kept under a name
# made of their hash, so that working copies that share build/third_party do not undo each other's.
set -eu -o pipefail

stamp=$1
third=build/third_party/newlib
overlay=$PWD/user/libc/newlib

tools/third_party/fetch.sh newlib
hash=$({ cat "$third/version" tools/third_party/newlib.sh; find user/libc/newlib -name '*.h' -print0 | sort -z |
    xargs -0 sha256sum; } | sha256sum | cut -c1-12)
out=$PWD/$third/out-$hash

flags="-O2 -g1 -ffunction-sections -fdata-sections -mno-red-zone -fno-pic -fno-stack-protector -fno-omit-frame-pointer \
-fno-asynchronous-unwind-tables -D__shoal__=1 -D_COMPILING_NEWLIB -DREENTRANT_SYSCALLS_PROVIDED -DGETREENT_PROVIDED \
-DHAVE_FCNTL -DHAVE_RENAME -DHAVE_NANOSLEEP -DHAVE_BLKSIZE -w"
cc="clang --target=x86_64-unknown-none-elf -nostdlibinc -isystem $overlay"

# Both functions run where "set -e" does not reach, so each step says itself that it failed.
build_library() {
    local source=$PWD/$third/src
    mkdir -p "$1" && cd "$1" || return
    "$source/configure" --target=x86_64-elf --prefix="$out" --disable-multilib --disable-libgloss \
        --disable-newlib-supplied-syscalls --enable-newlib-io-long-long --enable-newlib-io-c99-formats \
        --enable-newlib-mb --enable-newlib-retargetable-locking --enable-newlib-long-time_t --enable-newlib-register-fini \
        --enable-newlib-global-stdio-streams \
        CC_FOR_TARGET="$cc" AS_FOR_TARGET="$cc" AR_FOR_TARGET=llvm-ar RANLIB_FOR_TARGET=llvm-ranlib \
        NM_FOR_TARGET=llvm-nm STRIP_FOR_TARGET=llvm-strip READELF_FOR_TARGET=llvm-readelf \
        OBJDUMP_FOR_TARGET=llvm-objdump OBJCOPY_FOR_TARGET=llvm-objcopy LD_FOR_TARGET=ld.lld CFLAGS_FOR_TARGET="$flags" &&
        make -j2 MAKEINFO=true all-target-newlib &&
        make MAKEINFO=true install-target-newlib
}

# Parts of newlib's POSIX folder that need nothing of the system: patterns and regular expressions.
build_posix() {
    local source=$PWD/$third/src/newlib/libc name
    mkdir -p "$1" && cd "$1" || return
    for name in posix/{collate,collcmp,fnmatch,glob,regcomp,regerror,regexec,regfree} unix/{basename,dirname}; do
        $cc -isystem "$out/x86_64-elf/include" $flags -D_GNU_SOURCE -I"$source/posix" -I"$source/locale" \
            -c "$source/$name.c" || return
    done
    llvm-ar rcs "$out/x86_64-elf/lib/libposix.a" ./*.o
}

exec 9>"$third/build.lock"
flock 9
if [ ! -e "$out/done" ]; then
    echo "newlib: building $(cat "$third/version") (about a minute)"
    rm -rf "$out" "$third/build-$hash"
    { (unset MAKEFLAGS MAKELEVEL MFLAGS; build_library "$third/build-$hash") && (build_posix "$third/build-$hash/posix"); } \
        >"$third/build-$hash.log" 2>&1 || {
        tail -n 30 "$third/build-$hash.log" >&2
        echo "newlib: building failed; the whole output is in $third/build-$hash.log" >&2
        exit 1
    }
    rm -rf "$third/build-$hash"
    touch "$out/done"
fi
ln -sfn "third_party/newlib/out-$hash/x86_64-elf" build/newlib
touch "$stamp"
