"""One machine without a cluster: its console on pipes, and the agent's shell on the second serial port."""
import os
import pathlib
import re
import select
import socket
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools"))
from shoalcluster import agent  # noqa: E402

BUILD = pathlib.Path(os.environ.get("BUILD", "build"))
HANG_S = 60
ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


class Hung(AssertionError):
    """The machine did not say what was expected; the text has what it said."""


class Machine:
    def __init__(self, folder, config="", memory=256, cpus=1):
        self.path = str(folder / "agent.sock")
        seed = folder / "seed"
        seed.write_bytes(os.urandom(64))
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-machine", "q35", "-cpu", "max", "-accel", "tcg,thread=single", "-m", str(memory),
             "-smp", str(cpus), "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
             "-serial", f"unix:{self.path},server=on,wait=off", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
             "-kernel", str(BUILD / "kernel.elf"), "-initrd", str(BUILD / "shoal.img"),
             "-fw_cfg", f"name=opt/shoal/seed,file={seed}", "-append", f"panic=exit;disk=none;agent=com2;{config}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.text = b""
        self.seen = 0
        self.line = None
        self.last_id = 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.line:
            self.line.close()
        self.process.kill()
        self.process.wait()

    # --- the console ---

    def read_console(self, seconds):
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        data = os.read(self.process.stdout.fileno(), 65536) if ready else None
        if data == b"":
            raise Hung("the machine is off; its console said:\n" + self.text.decode(errors="replace"))
        self.text += data or b""

    def expect(self, pattern):
        """Waits until the console shows the pattern after what was expected before; the text up to its end."""
        limit = time.monotonic() + HANG_S
        while True:
            clean = ESCAPE.sub(b"", self.text).replace(b"\r", b"")
            match = re.compile(pattern.encode(), re.S).search(clean, self.seen)
            if match:
                start, self.seen = self.seen, match.end()
                return clean[start:match.end()].decode(errors="replace")
            if time.monotonic() > limit:
                raise Hung(f"no {pattern!r} in:\n" + clean[self.seen:].decode(errors="replace"))
            self.read_console(1)

    def type(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    # --- the agent ---

    def connect(self):
        """Takes the agent's line (anew: what still runs there is cancelled)."""
        if self.line:
            self.line.close()
        else:
            self.expect(r"\$ ")
        self.decoder, self.events = agent.Decoder(), []
        self.line = socket.socket(socket.AF_UNIX)
        self.line.settimeout(HANG_S)
        self.line.connect(self.path)
        self.line.sendall(agent.CANCEL)
        while ("ready",) not in self.events:
            self.receive()
        self.events.clear()

    def receive(self):
        data = self.line.recv(65536)
        if not data:
            raise Hung("the agent's line was closed; the console said:\n" + self.text.decode(errors="replace"))
        self.events += self.decoder.feed(data)

    def start(self, command):
        if not self.line:
            self.connect()
        self.last_id += 1
        self.line.sendall(agent.request(self.last_id, command))
        return self.last_id

    def finish(self, identifier):
        """(status, output) of a command that was started."""
        output = b""
        while True:
            while self.events:
                event = self.events.pop(0)
                if event[0] == "out" and event[1] == identifier:
                    output += event[2]
                elif event[0] == "exit" and event[1] == identifier:
                    return event[2], output.decode(errors="replace")
            try:
                self.receive()
            except TimeoutError:
                raise Hung(f"the command does not end; it said:\n{output.decode(errors='replace')}") from None

    def run(self, command):
        return self.finish(self.start(command))

    def output(self, command):
        status, text = self.run(command)
        assert status == 0, f"{command}: status {status}\n{text}"
        return text
