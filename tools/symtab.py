#!/usr/bin/python3
"""Function names for backtraces.

    symtab.py make PROGRAM.elf TABLE       the table that lib/base/symtab.c reads
    symtab.py check FIRST.elf SECOND.elf   fails unless every function has the same address in both

The table's format is told in lib/base/include/base/symtab.h. Of several names for one address the first in the alphabet
counts.
"""
import struct
import sys

SHT_SYMTAB = 2
STT_NOTYPE, STT_FUNC = 0, 2
SHF_EXECINSTR = 4
MAGIC = b"SYM1"


class SymbolError(Exception):
    """The file is not what it should be; the text says why."""


def sections(data, name):
    if data[:6] != b"\x7fELF\x02\x01":
        raise SymbolError(f"{name}: not a 64-bit little-endian ELF file")
    (offset,) = struct.unpack_from("<Q", data, 0x28)
    size, count = struct.unpack_from("<HH", data, 0x3A)
    return [struct.unpack_from("<IIQQQQIIQQ", data, offset + i * size) for i in range(count)]


def functions(path):
    """{address: name} of all code symbols, and the lowest address of code."""
    with open(path, "rb") as file:
        data = file.read()
    table = sections(data, path)
    code = {i for i, s in enumerate(table) if s[2] & SHF_EXECINSTR}
    if not code:
        raise SymbolError(f"{path}: has no code")
    base = min(table[i][3] for i in code)
    found = {}
    for section in (s for s in table if s[1] == SHT_SYMTAB):
        strings = table[section[6]]
        for at in range(section[4], section[4] + section[5], 24):
            name_offset, info, _, index, value, _ = struct.unpack_from("<IBBHQQ", data, at)
            if index not in code or value < base or info & 15 not in (STT_NOTYPE, STT_FUNC):
                continue
            start = strings[4] + name_offset
            name = data[start:data.index(b"\0", start)].decode()
            if name and not name.startswith((".L", "$")):
                found[value] = min(name, found.get(value, name))
    return found, base


def make(program, out):
    found, base = functions(program)
    names, entries = b"", b""
    for address in sorted(found):
        entries += struct.pack("<II", address - base, len(names))
        names += found[address].encode() + b"\0"
    with open(out, "wb") as file:
        file.write(MAGIC + struct.pack("<IQ", len(found), base) + entries + names)


def check(first, second):
    before, after = functions(first)[0], functions(second)[0]
    moved = [name for address, name in before.items() if after.get(address) != name]
    if moved:
        raise SymbolError(f"{second}: {len(moved)} functions moved in the second link, e.g. {moved[0]}")


def main(arguments):
    if len(arguments) != 3 or arguments[0] not in ("make", "check"):
        sys.exit(__doc__)
    try:
        (make if arguments[0] == "make" else check)(arguments[1], arguments[2])
    except (SymbolError, OSError) as error:
        sys.exit(f"symtab: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
