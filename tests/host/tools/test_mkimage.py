"""The boot bundle: what is put in comes out, and no damaged byte goes unseen."""
import os
import subprocess
import sys

import pytest

import mkimage

TOOL = mkimage.__file__


def sample_parts():
    return [
        mkimage.Part("kernel", mkimage.KIND_KERNEL, 0o444, b"\x7fELF" + b"k" * 5000),
        mkimage.Part("bin/sh", mkimage.KIND_FILE, 0o555, b"shell"),
        mkimage.Part("etc/empty", mkimage.KIND_FILE, 0o444, b""),
    ]


def test_round_trip():
    parts = mkimage.parse(mkimage.build(sample_parts()))
    assert [(p.name, p.kind, p.mode, p.data) for p in parts] == [
        (p.name, p.kind, p.mode, p.data) for p in sample_parts()]


def test_parts_lie_on_pages():
    parts = mkimage.parse(mkimage.build(sample_parts()))
    assert all(part.offset % 4096 == 0 for part in parts)


def test_one_program_under_two_names_is_stored_once():
    body = b"b" * 5000
    parts = mkimage.parse(mkimage.build([mkimage.Part(name, mkimage.KIND_FILE, 0o555, body) for name in ("bin/a", "bin/b")]))
    assert parts[0].offset == parts[1].offset and parts[1].data == body


def test_header_is_laid_out_as_in_the_contract():
    image = mkimage.build(sample_parts())
    assert image[:8] == b"SHOALIMG"
    assert int.from_bytes(image[8:12], "little") == 1
    assert int.from_bytes(image[12:16], "little") == 3
    assert int.from_bytes(image[16:24], "little") == len(image)
    table = int.from_bytes(image[24:32], "little")
    assert image[table:table + 7] == b"kernel\0"
    assert int.from_bytes(image[table + 64:table + 68], "little") == mkimage.KIND_KERNEL


def meaningful_bytes(image):
    parts = mkimage.parse(image)
    yield from range(128 + 128 * len(parts))
    for part in parts:
        yield from range(part.offset, part.offset + part.bytes)


def test_any_flipped_byte_is_found():
    image = mkimage.build([mkimage.Part("a", 2, 0o444, b"some bytes"), mkimage.Part("b", 2, 0o444, b"others")])
    for position in meaningful_bytes(image):
        damaged = bytearray(image)
        damaged[position] ^= 0x40
        with pytest.raises(mkimage.BundleError):
            mkimage.parse(bytes(damaged))


def test_truncated_image_is_refused():
    image = mkimage.build(sample_parts())
    for length in (0, 10, 128, 4096, len(image) - 1):
        with pytest.raises(mkimage.BundleError):
            mkimage.parse(image[:length])


@pytest.mark.parametrize("name", ["", "/abs", "a//b", "../up", "a/./b", "x" * 64, "with blank", "new\nline"])
def test_bad_names_are_refused(name):
    with pytest.raises(mkimage.BundleError):
        mkimage.build([mkimage.Part(name, 2, 0o444, b"")])


def test_same_name_twice_is_refused():
    with pytest.raises(mkimage.BundleError, match="two parts"):
        mkimage.build([mkimage.Part("a", 2, 0o444, b""), mkimage.Part("a", 2, 0o444, b"")])


def test_too_many_parts_are_refused():
    with pytest.raises(mkimage.BundleError, match="at most 512"):
        mkimage.build([mkimage.Part(f"p{i}", 2, 0o444, b"") for i in range(513)])


def test_command_line(tmp_path):
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "sym/bin").mkdir(parents=True)
    (root / "bin/sh").write_bytes(b"shell")
    (root / "bin/sh").chmod(0o755)
    (root / "sym/bin/sh").write_bytes(b"names")
    (tmp_path / "kernel.elf").write_bytes(b"kernel")
    (tmp_path / "motd").write_bytes(b"hello")
    image = tmp_path / "shoal.img"
    subprocess.run([sys.executable, TOOL, "-o", image, "--kernel", tmp_path / "kernel.elf", "--root", root, "--file",
                    f"etc/motd={tmp_path}/motd"], check=True)
    first = image.read_bytes()
    listing = subprocess.run([sys.executable, TOOL, "--list", image], check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in listing.splitlines()[1:]]
    assert [(r[0], r[1], r[4]) for r in rows] == [
        ("kernel", "444", "kernel"), ("file", "555", "bin/sh"), ("symbols", "444", "sym/bin/sh"),
        ("file", "444", "etc/motd")]
    os.utime(root / "bin/sh", (1, 1))
    subprocess.run([sys.executable, TOOL, "-o", image, "--kernel", tmp_path / "kernel.elf", "--root", root, "--file",
                    f"etc/motd={tmp_path}/motd"], check=True)
    assert image.read_bytes() == first
    image.write_bytes(first[:-4096] + b"X" + first[-4095:])
    check = subprocess.run([sys.executable, TOOL, "--check", image], capture_output=True, text=True)
    assert check.returncode != 0 and "etc/motd" in check.stderr and "damaged" in check.stderr
