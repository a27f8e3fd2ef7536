"""Boot media with something wrong, and what is seen on a screen; for the boot tests."""
import os
import pathlib
import shutil
import subprocess

import mkimage
from shoalcluster import paths


def build():
    return pathlib.Path(paths.build_folder())


def build_with(folder, bundle=None, config=None):
    """A build folder like the real one, with another bundle or shoal.conf (bytes; False: leave it out)."""
    folder.mkdir(parents=True)
    for name in ("kernel.elf", "BOOTX64.EFI", "shoal.img", "shoal.conf"):
        os.symlink(build() / name, folder / name)
    for name, data in (("shoal.img", bundle), ("shoal.conf", config)):
        if data is not None:
            (folder / name).unlink()
        if data:
            (folder / name).write_bytes(data)
    return str(folder)


def disk_with(path, bundle=None, config=None, key=None):
    """A boot disk like build/disk.img, with some of its files changed (bytes; False: removed)."""
    shutil.copy(build() / "disk.img", path)
    for name, data in (("shoal.img", bundle), ("shoal.conf", config), ("shoal.key", key)):
        if data is None:
            continue
        if name != "shoal.key":
            subprocess.run(["mdel", "-i", path, f"::/{name}"], check=True)
        if data is not False:
            subprocess.run(["mcopy", "-i", path, "-", f"::/{name}"], input=data, check=True)
    return str(path)


def bundle_bytes():
    return (build() / "shoal.img").read_bytes()


def bundle_parts():
    return mkimage.parse(bundle_bytes())


def flipped(position):
    data = bytearray(bundle_bytes())
    data[position] ^= 0x01
    return bytes(data)


def lit_pixels(cluster, node, path):
    """How many pixels of the machine's screen are not black."""
    cluster.qmp(node, "screendump", filename=str(path))
    data = pathlib.Path(path).read_bytes()
    head, pixels = data.split(b"\n255\n", 1)
    assert head.startswith(b"P6")
    return sum(pixels[i:i + 3] != b"\0\0\0" for i in range(0, len(pixels), 3))
