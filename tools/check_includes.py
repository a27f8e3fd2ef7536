#!/usr/bin/python3
"""The include rule: arrows point down to abi and lib and never back up; nobody includes a sibling.

    check_includes.py [FOLDER]      checks every C file below FOLDER (the tree)

Each row says what the files of a component may include with <>. Files of their own folder they include with "".
"""
import os
import re
import sys

COMPILER = {"stdint.h", "stddef.h", "stdbool.h", "stdarg.h", "limits.h", "stdatomic.h", "stdnoreturn.h", "float.h",
            "cpuid.h", "immintrin.h"}

# <first/...> -> what it belongs to. What is not listed is the C library's.
OWNERS = {"abi": "abi", "base": "base", "wire": "wire", "raft": "raft", "tables": "tables", "seal": "seal", "link": "link",
          "member": "member", "remote": "remote", "history": "history", "kernel": "kernel", "os": "libos", "idl": "libos",
          "driver": "driver", "lwip": "lwip", "netif": "lwip", "arch": "lwip", "bearssl.h": "bearssl", "cli": "userlib",
          "bundle": "userlib", "plain": "userlib", "efi.h": "gnuefi", "efilib.h": "gnuefi", "test": "testlib"}
# The functions on bytes that every environment has; lib/base/freestanding has them for the kernel.
BYTES = "string.h"

PURE = {"abi", "base", BYTES}
PROGRAM = {"abi", "base", "libos", "libc", "userlib"}
# The longest prefix wins. "*": a component of its own for each folder there.
ROWS = [
    ("abi/", {"abi"}),
    ("boot/", {"abi", "base", "gnuefi"}),
    ("lib/base/", PURE),
    ("lib/wire/", PURE | {"wire"}),
    ("lib/raft/", PURE | {"wire", "raft"}),
    ("lib/tables/", PURE | {"wire", "tables"}),
    ("lib/seal/", PURE | {"wire", "seal", "bearssl"}),
    ("lib/link/", PURE | {"wire", "seal", "link"}),
    ("lib/member/", PURE | {"wire", "member"}),
    ("lib/*/", PURE | {"wire"}),
    ("kernel/cluster/", PURE | {"kernel", "wire", "raft", "tables", "seal", "link", "member", "remote"}),
    ("kernel/", PURE | {"kernel", "seal"}),
    ("drivers/lib/", PROGRAM | {"driver"}),
    ("drivers/*/", PROGRAM | {"driver"}),
    ("net/", PROGRAM | {"wire", "lwip"}),
    ("user/libos/", {"abi", "base", "wire", "libos", BYTES}),
    ("user/libc/", {"abi", "base", "libos", "libc"}),
    ("user/lib/*/", PROGRAM),
    ("user/servers/*/", PROGRAM | {"wire", "raft"}),
    ("user/bin/*/", PROGRAM),
    ("user/", PROGRAM),
    ("tests/guest/", PROGRAM | {"testlib"}),
    ("tests/", None),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def component_of(path):
    """(folder of the component, allowed owners or None for anything)"""
    for prefix, allowed in ROWS:
        if prefix.endswith("*/"):
            base = prefix[:-2]
            rest = path[len(base):]
            if path.startswith(base) and "/" in rest:
                return base + rest.split("/")[0] + "/", allowed
        elif path.startswith(prefix):
            return prefix, allowed
    return None, None


def owner_of(name):
    first = name.split("/")[0]
    if first == "idl" and name.endswith("_codec.h"):
        return "wire"  # generated, pure: what lies in a message, for the kernel as well
    if name in COMPILER:
        return "compiler"
    if first == "idl" and name.endswith("_codec.h"):
        return "base"  # pure encoders and decoders over <base/msg.h>; the stubs beside them are libos
    return OWNERS.get(first, BYTES if name == BYTES else "libc")


def quoted_fault(top, path, name, component, allowed):
    """A quoted include names a file of the same component, or one of the contract's lists."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
    inside = os.path.normpath(os.path.join(component, name))
    for candidate in (beside, inside):
        if os.path.exists(os.path.join(top, candidate)):
            if component_of(candidate)[0] == component:
                return None
            if candidate.startswith("abi/") and candidate.endswith(".def") and "abi" in allowed:
                return None
            return f'"{name}" belongs to {component_of(candidate)[0] or os.path.dirname(candidate)}, not to {component}'
    return None if name.endswith((".def", ".inc")) else f'"{name}" is no file of {component}; others\' headers go into <>'


def check_file(top, path):
    component, allowed = component_of(path)
    if component is None or allowed is None:
        return
    with open(os.path.join(top, path), errors="replace") as stream:
        for number, line in enumerate(stream, 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            kind, name = match.groups()
            if kind == '"':
                fault = quoted_fault(top, path, name, component, allowed)
            else:
                owner = owner_of(name)
                fine = owner == "compiler" or owner in allowed or (owner == BYTES and "libc" in allowed)
                fault = None if fine else f"<{name}> is of {owner}; {component} may include: {', '.join(sorted(allowed))}"
            if fault:
                yield f"{path}:{number}: {fault}"


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else "."
    faults = []
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(f for f in folders if f not in ("build", ".git"))
        for file in sorted(files):
            if file.endswith((".c", ".h", ".S")):
                faults += check_file(top, os.path.relpath(os.path.join(folder, file), top))
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
