"""The disk process: one NBD server (newstyle, simple replies) a disk, each on a unix socket of its own.

Commands come as JSON lines over a control socket: {"op": "cut", "disk": N}, "flush", "blank", "counts",
"fate" with "fate": what becomes of unflushed writes when power is cut ("kept", "dropped", "torn"; null: by the seed), and what
goes wrong while it runs: "slow" (ms), "stall", "fail" (kind, times), "full" (from), "heal", "damage" (area or range, count,
seed), "save" and "restore" (path). Each answer says in words what is wrong with the disk now.
"""
import asyncio
import json
import os
import signal
import struct
import sys

from . import badness
from . import disk as disk_module

MAGIC, OPTION_MAGIC, REPLY_MAGIC = b"NBDMAGIC", b"IHAVEOPT", 0x3e889045565a9
REQUEST_MAGIC, ANSWER_MAGIC = 0x25609513, 0x67446698
FLAG_FIXED, FLAG_NO_ZEROES = 1, 2
OPT_EXPORT_NAME, OPT_ABORT, OPT_LIST, OPT_INFO, OPT_GO = 1, 2, 3, 6, 7
REP_ACK, REP_SERVER, REP_INFO, REP_ERR_UNSUP = 1, 2, 3, 0x80000001
EXPORT_FLAGS = 1 | 4 | 8  # has flags, flush, forced unit access
COMMAND_READ, COMMAND_WRITE, COMMAND_DISC, COMMAND_FLUSH = 0, 1, 2, 3
COMMAND_FLAG_FUA = 1
EIO, EINVAL, ENOSPC = 5, 22, 28
REQUEST = struct.Struct(">IHHQQI")
LENGTH_MAX = 32 << 20
OPTION_BYTES_MAX = 65536


class ProtocolError(Exception):
    """The other side does not speak the protocol."""


async def negotiate(reader, writer, size):
    """True when the transmission phase begins, False when the client left."""
    writer.write(MAGIC + OPTION_MAGIC + struct.pack(">H", FLAG_FIXED | FLAG_NO_ZEROES))
    flags, = struct.unpack(">I", await reader.readexactly(4))
    while True:
        magic, option, length = struct.unpack(">8sII", await reader.readexactly(16))
        if magic != OPTION_MAGIC or length > OPTION_BYTES_MAX:
            raise ProtocolError("option without magic")
        await reader.readexactly(length)

        def reply(kind, data=b"", option=option):
            writer.write(struct.pack(">QIII", REPLY_MAGIC, option, kind, len(data)) + data)

        if option == OPT_EXPORT_NAME:
            writer.write(struct.pack(">QH", size, EXPORT_FLAGS) + (b"" if flags & FLAG_NO_ZEROES else bytes(124)))
            return True
        if option in (OPT_INFO, OPT_GO):
            reply(REP_INFO, struct.pack(">HQH", 0, size, EXPORT_FLAGS))
            reply(REP_ACK)
            if option == OPT_GO:
                return True
        elif option == OPT_LIST:
            reply(REP_SERVER, struct.pack(">I", 0))
            reply(REP_ACK)
        elif option == OPT_ABORT:
            reply(REP_ACK)
            return False
        else:
            reply(REP_ERR_UNSUP)
        await writer.drain()


def perform(disk, kind, flags, offset, length, data):
    """(error, bytes read)"""
    if kind == COMMAND_FLUSH:
        disk.flush()
        return 0, b""
    if offset % disk_module.SECTOR or length % disk_module.SECTOR:
        return EINVAL, b""
    if offset + length > disk.size:
        return ENOSPC if kind == COMMAND_WRITE else EINVAL, b""
    if kind == COMMAND_READ:
        return 0, disk.read(offset, length)
    if kind == COMMAND_WRITE:
        disk.write(offset, data, durable=bool(flags & COMMAND_FLAG_FUA))
        return 0, b""
    return EINVAL, b""


KIND_NAMES = {COMMAND_READ: "read", COMMAND_WRITE: "write", COMMAND_FLUSH: "flush"}


async def due(bad, pace):
    """When a request's time has come."""
    if bad.delay_ms:
        await asyncio.sleep(bad.delay_ms / 1000)
    async with pace:
        await pace.wait_for(lambda: not bad.stalled)


def answer(disk, bad, kind, flags, offset, length, data):
    """(error, bytes read)"""
    try:
        if kind in KIND_NAMES:
            bad.check(KIND_NAMES[kind], offset, length)
        return perform(disk, kind, flags, offset, length, data)
    except badness.Failing as failing:
        return ENOSPC if failing.full else EIO, b""
    except OSError:
        return EIO, b""


async def serve(reader, writer, disk, bad, pace):
    """The transmission phase, until the client leaves."""
    while True:
        magic, flags, kind, cookie, offset, length = REQUEST.unpack(await reader.readexactly(REQUEST.size))
        if magic != REQUEST_MAGIC or length > LENGTH_MAX:
            raise ProtocolError("request without magic")
        data = await reader.readexactly(length) if kind == COMMAND_WRITE else b""
        if kind == COMMAND_DISC:
            return
        await due(bad, pace)
        if writer.transport.is_closing():
            return  # its machine lost power while it waited
        error, result = answer(disk, bad, kind, flags, offset, length, data)
        writer.write(struct.pack(">IIQ", ANSWER_MAGIC, error, cookie) + (result if not error else b""))
        await writer.drain()


class Server:
    def __init__(self, folder, settings):
        self.folder, self.settings = folder, settings
        self.disks, self.connections = {}, {}
        self.bad, self.pace = {}, {}  # pace: notified when a stalled disk goes on

    async def start(self):
        for spec in self.settings["disks"]:
            number = spec["number"]
            self.disks[number] = disk_module.Disk(spec["path"], spec["size"], f"{self.settings['seed']}/{number}")
            self.bad[number], self.pace[number] = badness.Badness(), asyncio.Condition()
            await asyncio.start_unix_server(lambda r, w, n=number: self.client(r, w, n),
                                            os.path.join(self.folder, f"disk{number}"))
        await asyncio.start_unix_server(self.control, os.path.join(self.folder, "disks"))

    async def client(self, reader, writer, number):
        self.connections.setdefault(number, set()).add(writer)
        try:
            if await negotiate(reader, writer, self.disks[number].size):
                await serve(reader, writer, self.disks[number], self.bad[number], self.pace[number])
        except (asyncio.IncompleteReadError, ConnectionError, ProtocolError):
            pass
        finally:
            self.connections[number].discard(writer)
            writer.close()

    def harm(self, number, command):
        """The operations that make a disk bad; None: it is none of them."""
        op, disk, bad = command["op"], self.disks[number], self.bad[number]
        if op == "slow":
            bad.delay_ms = float(command["ms"])
        elif op == "stall":
            bad.stalled = True
        elif op == "fail":
            bad.fail(command["kind"], command.get("times"))
        elif op == "full":
            bad.full_from = int(command["from"])
        elif op == "heal":
            bad.heal()
        elif op == "damage":
            first, last = command.get("range") or badness.areas(disk.size)[command.get("area") or "log"]
            if not 0 <= first < last <= disk.size:
                raise ValueError(f"damage: {first} to {last} is not within the disk's {disk.size} bytes")
            return {"places": badness.damage(disk, first, last, command.get("count", 1), command.get("seed", 1))}
        elif op == "save":
            disk.save(command["path"])
        elif op == "restore":
            disk.restore(command["path"])
        else:
            return None
        return {}

    def command(self, command):
        op = command["op"]
        if command["disk"] not in self.disks:
            raise ValueError(f"there is no disk {command['disk']}")
        disk = self.disks[command["disk"]]
        # A dead machine's last requests may still lie in its connection: they are lost with it.
        if op in ("cut", "blank"):
            for writer in list(self.connections.get(command["disk"], ())):
                writer.transport.abort()
        if op == "cut":
            return {"unflushed": disk.cut_power(), "counts": disk.counts}
        if op == "flush":
            disk.flush()
        elif op == "blank":
            disk.blank()
        elif op == "fate" and command["fate"] in (None, *disk_module.FATES):
            disk.fate = command["fate"]
        elif op != "counts":
            done = self.harm(command["disk"], command)
            if done is None:
                raise ValueError(f"no such operation '{op}'")
            return dict(done, words=self.bad[command["disk"]].words())
        return {"counts": disk.counts, "unflushed": len(disk.pending), "words": self.bad[command["disk"]].words()}

    async def control(self, reader, writer):
        while line := await reader.readline():
            try:
                said = dict(self.command(json.loads(line)), ok=True)
                for pace in self.pace.values():
                    async with pace:
                        pace.notify_all()
            except (ValueError, KeyError, OSError) as error:
                said = {"ok": False, "error": str(error)}
            writer.write(json.dumps(said).encode() + b"\n")
            await writer.drain()
        writer.close()


async def run(folder, settings):
    server = Server(folder, settings)
    await server.start()
    print("ready", flush=True)
    await asyncio.Event().wait()


def main():
    """nbd FOLDER: settings come as JSON on standard input; says "ready" when its sockets are there."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(run(sys.argv[1], json.load(sys.stdin)))


if __name__ == "__main__":
    main()
