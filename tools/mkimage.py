#!/usr/bin/python3
"""Makes, lists and checks the boot bundle shoal.img; the format is abi/include/abi/bundle.h.

    mkimage.py -o build/shoal.img --kernel build/kernel.elf --root build/root [--file NAME=PATH]... [--symbols NAME=PATH]...
    mkimage.py --list build/shoal.img
    mkimage.py --check build/shoal.img

Every file below --root becomes a part named by its path in there. The same input gives the same bytes.
"""
import argparse
import hashlib
import os
import struct
import sys

MAGIC = b"SHOALIMG"
VERSION = 1
PARTS_MAX = 512
NAME_MAX = 64
PAGE = 4096
KIND_KERNEL, KIND_FILE, KIND_SYMBOLS = 1, 2, 3
KIND_NAMES = {KIND_KERNEL: "kernel", KIND_FILE: "file", KIND_SYMBOLS: "symbols"}

HEADER = struct.Struct("<8sIIQQ32s32s32x")
PART = struct.Struct("<64sIIQQ32s8x")
HEADER_HASH_OFFSET = 64
assert HEADER.size == 128 and PART.size == 128


class BundleError(Exception):
    """The bundle, or what it should be made from, is not right; the text says what and where."""


class Part:
    def __init__(self, name, kind, mode, data):
        self.name, self.kind, self.mode, self.data = name, kind, mode, data
        self.offset = 0
        self.bytes = len(data)
        self.sha256 = hashlib.sha256(data).digest()

    def encode(self):
        return PART.pack(self.name.encode(), self.kind, self.mode, self.offset, self.bytes, self.sha256)


def round_up(value, unit):
    return (value + unit - 1) // unit * unit


def check_name(name):
    raw = name.encode()
    if not raw or len(raw) >= NAME_MAX:
        raise BundleError(f"part name '{name}' must be 1 to {NAME_MAX - 1} bytes long")
    if any(c <= 32 or c == 127 for c in raw):
        raise BundleError(f"part name '{name}' holds a blank or control character")
    if any(piece in ("", ".", "..") for piece in name.split("/")):
        raise BundleError(f"part name '{name}' is not a plain relative path")


def header_bytes(count, total, table_offset, table_hash):
    blank = HEADER.pack(MAGIC, VERSION, count, total, table_offset, table_hash, bytes(32))
    return HEADER.pack(MAGIC, VERSION, count, total, table_offset, table_hash, hashlib.sha256(blank).digest())


def build(parts):
    """The bytes of a bundle of these parts."""
    if len(parts) > PARTS_MAX:
        raise BundleError(f"{len(parts)} parts, at most {PARTS_MAX} fit")
    seen = set()
    for part in parts:
        check_name(part.name)
        if part.name in seen:
            raise BundleError(f"two parts are named '{part.name}'")
        seen.add(part.name)
    position = round_up(HEADER.size + PART.size * len(parts), PAGE)
    offsets = {}  # parts with the same bytes (one program under several names) lie in the image once
    for part in parts:
        part.offset = offsets.setdefault(part.data, position)
        if part.offset == position:
            position = round_up(position + part.bytes, PAGE)
    table = b"".join(part.encode() for part in parts)
    image = bytearray(position)
    head = header_bytes(len(parts), position, HEADER.size, hashlib.sha256(table).digest()) + table
    image[:len(head)] = head
    for part in parts:
        image[part.offset:part.offset + part.bytes] = part.data
    return bytes(image)


def decode_part(raw, index, image, floor):
    name_raw, kind, mode, offset, size, digest = PART.unpack(raw)
    if b"\0" not in name_raw:
        raise BundleError(f"part {index}: its name has no end")
    name = name_raw.split(b"\0")[0].decode("ascii", "replace")
    check_name(name)
    if kind not in KIND_NAMES:
        raise BundleError(f"part '{name}': unknown kind {kind}")
    if offset % PAGE or offset < floor or offset + size > len(image):
        raise BundleError(f"part '{name}': bytes {offset}..{offset + size} do not lie in the image on a page of their own")
    data = image[offset:offset + size]
    if hashlib.sha256(data).digest() != digest:
        raise BundleError(f"part '{name}': SHA-256 does not match; the image is damaged at bytes {offset}..{offset + size}")
    part = Part(name, kind, mode, data)
    part.offset = offset
    return part


def parse(image):
    """The parts of a bundle, after checking all that its header promises. Raises BundleError."""
    if len(image) < HEADER.size:
        raise BundleError(f"only {len(image)} bytes: no room for a header")
    magic, version, count, total, table_offset, table_hash, head_hash = HEADER.unpack(image[:HEADER.size])
    if magic != MAGIC:
        raise BundleError("it does not begin with SHOALIMG")
    blank = image[:HEADER_HASH_OFFSET] + bytes(32) + image[HEADER_HASH_OFFSET + 32:HEADER.size]
    if hashlib.sha256(blank).digest() != head_hash:
        raise BundleError("header: SHA-256 does not match")
    if version != VERSION:
        raise BundleError(f"header: version {version}, this tool knows {VERSION}")
    if count > PARTS_MAX or total != len(image):
        raise BundleError(f"header: {count} parts and {total} bytes promised, the file has {len(image)} bytes")
    table_end = table_offset + count * PART.size
    if table_offset < HEADER.size or table_end > len(image):
        raise BundleError("header: the part table lies outside the image")
    table = image[table_offset:table_end]
    if hashlib.sha256(table).digest() != table_hash:
        raise BundleError("part table: SHA-256 does not match")
    return [decode_part(table[i * PART.size:(i + 1) * PART.size], i, image, table_end) for i in range(count)]


def read_file(path):
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from error


def collect_root(root):
    """Every file below root, sorted by name; programs keep their execute permission."""
    if not os.path.isdir(root):
        raise BundleError(f"{root}: no such folder")
    parts = []
    for folder, _, files in os.walk(root):
        for file in files:
            path = os.path.join(folder, file)
            name = os.path.relpath(path, root)
            mode = 0o555 if os.access(path, os.X_OK) else 0o444
            kind = KIND_SYMBOLS if name.startswith("sym/") else KIND_FILE
            parts.append(Part(name, kind, mode, read_file(path)))
    return sorted(parts, key=lambda part: part.name)


def named(text, kind):
    name, separator, path = text.partition("=")
    if not separator:
        raise BundleError(f"'{text}': expected NAME=PATH")
    mode = 0o555 if os.access(path, os.X_OK) else 0o444
    return Part(name, kind, mode, read_file(path))


def make(options):
    parts = []
    if options.kernel:
        parts.append(Part("kernel", KIND_KERNEL, 0o444, read_file(options.kernel)))
    parts += [named(text, KIND_SYMBOLS) for text in options.symbols]
    if options.root:
        parts += collect_root(options.root)
    parts += [named(text, KIND_FILE) for text in options.file]
    image = build(parts)
    temporary = options.output + ".new"
    with open(temporary, "wb") as stream:
        stream.write(image)
    os.replace(temporary, options.output)


def show(path):
    print(f"{'kind':8} {'mode':>4} {'offset':>10} {'bytes':>10}  name")
    for part in parse(read_file(path)):
        print(f"{KIND_NAMES[part.kind]:8} {part.mode:4o} {part.offset:10} {part.bytes:10}  {part.name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", help="the bundle to make")
    parser.add_argument("--kernel", help="the kernel's ELF file")
    parser.add_argument("--root", help="folder whose files become parts")
    parser.add_argument("--file", action="append", default=[], metavar="NAME=PATH", help="one more file")
    parser.add_argument("--symbols", action="append", default=[], metavar="NAME=PATH", help="a symbol table")
    parser.add_argument("--list", metavar="IMAGE", help="check a bundle and list its parts")
    parser.add_argument("--check", metavar="IMAGE", help="check a bundle")
    options = parser.parse_args()
    try:
        if options.list:
            show(options.list)
        elif options.check:
            parse(read_file(options.check))
        elif options.output:
            make(options)
        else:
            parser.error("one of --output, --list and --check is needed")
    except BundleError as error:
        sys.exit(f"mkimage: {options.list or options.check or options.output}: {error}")


if __name__ == "__main__":
    main()
