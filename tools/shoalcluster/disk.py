"""A disk that loses power honestly: what was written and not flushed is kept apart, and a power cut keeps, drops or
tears each such write by a seed."""
import os
import random
import time

SECTOR = 512
FATES = ("kept", "dropped", "torn")
PENDING_BYTES_MAX = 64 << 20  # a drive's cache is not endless: beyond this the oldest writes reach the medium by themselves


def runs(sectors):
    """What lies side by side, joined: (first sector, bytes) of each run. The sectors come in order."""
    first, parts = None, []
    for number, data in sectors.items():
        if parts and number != first + len(parts):
            yield first, b"".join(parts)
            parts = []
        first = first if parts else number
        parts.append(data)
    if parts:
        yield first, b"".join(parts)


class Disk:
    """Backed by a sparse file. Offsets and lengths are multiples of SECTOR."""

    def __init__(self, path, size, seed):
        self.path, self.size = path, size
        self.random = random.Random(seed)
        self.fate = None  # of every unflushed write at power cuts to come; None: by the seed
        self.file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self.file, size)
        self.pending = []  # writes in order: {sector number: its bytes}
        self.cached = {}   # sector number -> newest bytes not yet on the medium
        self.pending_bytes = 0
        self.counts = {"reads": 0, "writes": 0, "flushes": 0, "flush_us": 0, "kept": 0, "dropped": 0, "torn": 0}

    def read(self, offset, length):
        self.counts["reads"] += 1
        data = os.pread(self.file, length, offset)
        data += bytes(length - len(data))
        if not self.cached:
            return data
        result, first = bytearray(data), offset // SECTOR
        for i in range(length // SECTOR):
            newer = self.cached.get(first + i)
            if newer is not None:
                result[i * SECTOR:(i + 1) * SECTOR] = newer
        return bytes(result)

    def write(self, offset, data, durable=False):
        self.counts["writes"] += 1
        first = offset // SECTOR
        sectors = {first + i: bytes(data[i * SECTOR:(i + 1) * SECTOR]) for i in range(len(data) // SECTOR)}
        if durable:
            self.overtake(sectors)
            os.pwrite(self.file, data, offset)
            return
        self.pending.append(sectors)
        self.cached.update(sectors)
        self.pending_bytes += len(data)
        while self.pending_bytes > PENDING_BYTES_MAX:
            self.settle(self.pending.pop(0))

    def overtake(self, sectors):
        """A durable write makes older cached versions of its sectors void."""
        for older in self.pending:
            for number in sectors.keys() & older.keys():
                del older[number]
                self.pending_bytes -= SECTOR
        for number in sectors:
            self.cached.pop(number, None)

    def settle(self, sectors):
        """One cached write reaches the medium, whole."""
        for first, data in runs(sectors):
            os.pwrite(self.file, data, first * SECTOR)
        for number, data in sectors.items():
            if self.cached.get(number) is data:
                del self.cached[number]
        self.pending_bytes -= len(sectors) * SECTOR

    def flush(self):
        begin = time.perf_counter_ns()
        while self.pending:
            self.settle(self.pending.pop(0))
        self.counts["flushes"] += 1
        self.counts["flush_us"] += (time.perf_counter_ns() - begin) // 1000

    def cut_power(self):
        """Each unflushed write is kept, dropped, or torn between two of its sectors. Says what happened."""
        for sectors in self.pending:
            fate = self.fate or self.random.choice(FATES)
            numbers = sorted(sectors)
            if fate == "torn":
                numbers = numbers[:self.random.randrange(len(numbers) + 1)]
            self.counts[fate] += 1
            if fate != "dropped":
                for number in numbers:
                    os.pwrite(self.file, sectors[number], number * SECTOR)
        lost = len(self.pending)
        self.pending, self.cached, self.pending_bytes = [], {}, 0
        return lost

    def blank(self):
        """A new disk in the old one's place."""
        self.pending, self.cached, self.pending_bytes = [], {}, 0
        os.ftruncate(self.file, 0)
        os.ftruncate(self.file, self.size)

    def save(self, path):
        """An image of what is on the medium now. Holes stay holes."""
        self.copy(self.file, path)

    def restore(self, path):
        """The medium becomes that image; what was not flushed is gone."""
        self.pending, self.cached, self.pending_bytes = [], {}, 0
        source = os.open(path, os.O_RDONLY)
        try:
            os.ftruncate(self.file, 0)
            self.copy(source, self.path)
        finally:
            os.close(source)

    def copy(self, source, path):
        target = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.ftruncate(target, 0)
            os.ftruncate(target, self.size)
            for offset in range(0, self.size, 1 << 20):
                data = os.pread(source, 1 << 20, offset)
                if data.count(0) != len(data):
                    os.pwrite(target, data, offset)
        finally:
            os.close(target)

    def close(self):
        os.close(self.file)
