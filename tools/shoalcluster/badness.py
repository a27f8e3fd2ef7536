"""What goes wrong with a disk on purpose: slow or stalled requests, requests that fail, no room, harmed bytes."""
import random

from . import disk as disk_module

KINDS = ("read", "write", "flush")
RECORDS_START, RECORDS_MIN, RECORDS_MAX = 128 << 10, 1 << 20, 32 << 20  # as in user/servers/logstore/layout.h
BLOCK = 4096


class Failing(Exception):
    """The request fails: EIO, or ENOSPC when the disk is full."""

    def __init__(self, full):
        super().__init__("no room" if full else "failed on purpose")
        self.full = full


def areas(size):
    """{name: (first byte, byte after the last)} of a log disk of that size."""
    records = min(max(size // 4 // BLOCK * BLOCK, RECORDS_MIN), RECORDS_MAX)
    return {"superblocks": (0, RECORDS_START), "log": (RECORDS_START, RECORDS_START + records),
            "snapshots": (RECORDS_START + records, size), "all": (0, size)}


class Badness:
    """Asked before each request of one disk."""

    def __init__(self):
        self.delay_ms, self.stalled = 0.0, False
        self.failing = {}  # kind -> how many more requests fail; None: all
        self.full_from = None  # writes that reach beyond this offset find no room

    def heal(self):
        self.delay_ms, self.stalled, self.failing, self.full_from = 0.0, False, {}, None

    def fail(self, kind, times=None):
        if kind not in KINDS or (times is not None and times < 1):
            raise ValueError(f"fail '{kind}': expected read, write or flush, and how many times (1 or more)")
        self.failing[kind] = times

    def check(self, kind, offset=0, length=0):
        """Raises Failing if this request is to fail."""
        if kind in self.failing:
            left = self.failing[kind]
            if left is not None:
                self.failing[kind] = left - 1
                if left == 1:
                    del self.failing[kind]
            raise Failing(full=False)
        if kind == "write" and self.full_from is not None and offset + length > self.full_from:
            raise Failing(full=True)

    def words(self):
        words = ["stalled"] if self.stalled else []
        words += [f"each request takes {self.delay_ms:g} ms longer"] if self.delay_ms else []
        words += [f"each {kind} fails" + ("" if times is None else f" ({times} more)") for kind, times in self.failing.items()]
        words += [f"no room from byte {self.full_from} on"] if self.full_from is not None else []
        return words


def used_sectors(disk, first, last):
    """Sectors in [first, last) bytes whose contents are not all zero."""
    used, zero = [], bytes(disk_module.SECTOR)
    for offset in range(first, last, 1 << 20):
        data = disk.read(offset, min(1 << 20, last - offset))
        if data.count(0) == len(data):
            continue
        used += [offset + at for at in range(0, len(data), disk_module.SECTOR)
                 if data[at:at + disk_module.SECTOR] != zero]
    return used


def damage(disk, first, last, count, seed):
    """Flips one byte in each of `count` used sectors of [first, last), drawn by the seed; where. They are durable at once:
    it is the medium that is harmed."""
    draw = random.Random(seed)
    used = used_sectors(disk, first // disk_module.SECTOR * disk_module.SECTOR, last)
    places = []
    for sector in sorted(draw.sample(used, min(count, len(used)))):
        data = bytearray(disk.read(sector, disk_module.SECTOR))
        at = draw.randrange(max(first - sector, 0), min(last - sector, disk_module.SECTOR))
        data[at] ^= draw.randrange(1, 256)
        disk.write(sector, bytes(data), durable=True)
        places.append(sector + at)
    return places
