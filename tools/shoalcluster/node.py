"""One machine of a cluster, as its keeper sees it: its QEMU, console, agent line and QMP."""
import asyncio
import ctypes
import os
import re
import signal
import time

from . import agent, qemu
from .paths import ClusterError
from .qmp import Qmp, QmpError

PROBE_S = 2.0           # how long an unanswered "are you there" on the agent line stands before it is asked again
PROBE_LIMIT_S = 20.0    # the same once the agent has answered: its first command may take a while on a busy machine
RESET_BURST_S = 1.0     # firmware resets the machine more than once for one restart
QMP_LAST_WORDS_S = 1.0  # why the machine ended may still be on its way when QEMU is gone
CONSOLE_KEEP_BYTES = 32 << 20
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f]")


def die_with_parent():
    """Run in the child: when the keeper dies in whatever way, so does what it started."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Node:
    def __init__(self, number, folder, log_path, on_change):
        self.number, self.folder, self.log_path, self.on_change = number, folder, log_path, on_change
        self.state, self.why = "off", ""
        self.process = self.qmp = self.qmp_ended = None
        self.boots = self.restarts = 0
        self.started_at = self.reset_at = 0.0
        self.console_writer = self.agent_writer = None
        self.console, self.console_dropped = bytearray(), 0
        self.viewers, self.changed = set(), asyncio.Condition()
        self.log = open(log_path, "ab")
        self.decoder, self.request_id = agent.Decoder(), 0
        self.request, self.agent_lock = None, asyncio.Lock()
        self.agent_says_ready, self.cancels = asyncio.Event(), 0  # cancels: sent and not answered by a "ready"
        self.ready = asyncio.Event()
        self.tasks = set()
        self.last_line = ""

    async def listen(self):
        for name, handler in (("console", self.console_connected), ("agent", self.agent_connected),
                              ("qmp", self.qmp_connected)):
            path = os.path.join(self.folder, name + ".sock")
            if os.path.exists(path):
                os.unlink(path)
            await asyncio.start_unix_server(handler, path)

    # ---- power ----

    async def power_on(self, spec):
        if self.process:
            raise ClusterError(f"node {self.number} is on already")
        self.note(f"power on ({spec['boot']})")
        self.ready.clear()
        self.qmp_ended = asyncio.get_running_loop().create_future()
        self.boots += 1
        self.started_at = time.monotonic()
        with open(os.path.join(self.folder, "qemu.log"), "wb") as output:
            self.process = await asyncio.create_subprocess_exec(
                *qemu.command(spec), stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
                preexec_fn=die_with_parent, start_new_session=True)
        await self.set_state("running" if self.ready.is_set() else "starting")
        self.spawn(self.watch_end(self.process))

    def spawn(self, coroutine):
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def watch_end(self, process):
        status = await process.wait()
        if self.why != "cut":
            await asyncio.wait({self.qmp_ended}, timeout=QMP_LAST_WORDS_S)
        self.process = self.qmp = None
        self.ready.clear()
        self.end_request("lost")
        await self.on_change(self, "ended")
        if self.why == "cut":
            self.note("power cut")
            await self.set_state("off", "power cut")
        elif self.why == "guest-shutdown":
            self.note("powered itself off")
            await self.set_state("off", "powered itself off")
        elif status > 0 and status % 2:
            self.note(f"left the emulator with code {status >> 1}")
            await self.set_state("off", f"left the emulator with code {status >> 1}")
        else:
            self.note(f"QEMU ended with status {status}")
            await self.set_state("off", f"QEMU ended with status {status}: {self.qemu_words()}")

    def qemu_words(self):
        with open(os.path.join(self.folder, "qemu.log"), errors="replace") as stream:
            return stream.read().strip()[-300:] or "it said nothing"

    async def power_cut(self):
        """The process ends at once; what it had not flushed is the disk's affair."""
        process = self.process
        if not process:
            return
        self.why = "cut"
        process.kill()
        await self.wait_state(lambda: self.process is not process)
        await self.wait_state(lambda: self.state == "off")

    async def set_state(self, state, why=""):
        self.state, self.why = state, why
        async with self.changed:
            self.changed.notify_all()
        await self.on_change(self, "state")

    async def wait_state(self, condition):
        async with self.changed:
            await self.changed.wait_for(condition)

    # ---- QMP ----

    async def qmp_connected(self, reader, writer):
        self.qmp, ended = Qmp(reader, writer, self.qmp_event), self.qmp_ended
        await self.qmp.run()
        if not ended.done():
            ended.set_result(None)

    def qmp_event(self, name, data):
        if name == "SHUTDOWN" and data.get("guest"):
            self.why = "guest-shutdown"
        elif name == "RESET" and data.get("guest"):
            now = time.monotonic()
            if now - self.reset_at > RESET_BURST_S:
                self.restarts += 1
                self.note("restarted itself")
                self.ready.clear()
                self.end_request("restarted")
                self.spawn(self.set_state("starting", "restarted itself"))
                self.spawn(self.find_agent())
            self.reset_at = now
        elif name == "STOP":
            self.spawn(self.set_state("paused"))
        elif name == "RESUME":
            self.spawn(self.set_state("running" if self.ready.is_set() else "starting"))

    async def qmp_command(self, name, **arguments):
        if not self.qmp:
            raise ClusterError(f"node {self.number} is off")
        try:
            return await self.qmp.command(name, **arguments)
        except QmpError as error:
            raise ClusterError(f"node {self.number}: {error}") from error

    # ---- console ----

    async def console_connected(self, reader, writer):
        self.console_writer = writer
        try:
            while data := await reader.read(65536):
                await self.console_bytes(data)
        except ConnectionError:
            pass
        finally:
            if self.console_writer is writer:
                self.console_writer = None
            writer.close()

    async def console_bytes(self, data):
        self.log.write(data)
        self.log.flush()
        self.console += data
        if len(self.console) > CONSOLE_KEEP_BYTES:
            excess = len(self.console) - CONSOLE_KEEP_BYTES
            del self.console[:excess]
            self.console_dropped += excess
        for viewer in list(self.viewers):
            viewer.write(data)
        lines = ESCAPES.sub("", self.console[-600:].decode(errors="replace").replace("\r", "\n")).split("\n")
        line = next((text.strip() for text in reversed(lines) if text.strip()), "")
        if line != self.last_line:
            self.last_line = line
            await self.on_change(self, "line")
        async with self.changed:
            self.changed.notify_all()

    def note(self, text):
        """A line of the runner's own in the console's log."""
        self.log.write(f"\n--- runner: node {self.number}: {text}\n".encode())
        self.log.flush()

    def console_position(self):
        return self.console_dropped + len(self.console)

    async def expect(self, pattern, since, limit):
        """(matched text, groups, position after it) of the first match at or after the position."""
        compiled = re.compile(pattern.encode(), re.M)
        found = None

        def look():
            nonlocal found
            found = compiled.search(self.console, max(0, since - self.console_dropped))
            return found is not None or self.state == "off"

        try:
            await asyncio.wait_for(self.wait_state(look), limit)
        except asyncio.TimeoutError:
            pass
        if found is None:
            raise ClusterError(f"node {self.number} ({self.state}{', ' + self.why if self.why else ''}) never said "
                               f"'{pattern}' within {limit:.0f} s; its last words: {self.tail()}")
        return {"text": found[0].decode(errors="replace"), "end": self.console_dropped + found.end(),
                "groups": [(group or b"").decode(errors="replace") for group in found.groups()]}

    def tail(self):
        return self.console[-400:].decode(errors="replace")

    def type(self, data):
        if not self.console_writer:
            raise ClusterError(f"node {self.number} is off")
        self.console_writer.write(data)

    # ---- the agent line ----

    async def agent_connected(self, reader, writer):
        self.agent_writer, self.decoder, self.cancels = writer, agent.Decoder(), 0
        self.spawn(self.find_agent())
        try:
            while data := await reader.read(65536):
                for event in self.decoder.feed(data):
                    self.agent_event(event)
        except ConnectionError:
            pass
        finally:
            if self.agent_writer is writer:
                self.agent_writer = None
                self.end_request("lost")
            writer.close()

    def agent_event(self, event):
        if event[0] == "ready":
            self.agent_says_ready.set()
            if self.cancels:
                self.cancels -= 1
            elif self.request and self.ready.is_set():
                self.request.put_nowait(("lost", "its shell started anew"))
        elif self.request and event[1] == self.request_id:
            self.request.put_nowait((event[0], event[2]))

    def end_request(self, why):
        if self.request:
            self.request.put_nowait(("lost", why))

    async def find_agent(self):
        """Asks until the machine's agent answers, then says so. It says "ready" when it starts and after a cancel, alike;
        once it has also run a command, no such line from before is still on its way."""
        writer = self.agent_writer
        while writer and writer is self.agent_writer and not self.ready.is_set():
            self.agent_says_ready.clear()
            self.cancel()
            try:
                await asyncio.wait_for(self.agent_says_ready.wait(), PROBE_S)
                async with self.agent_lock:
                    await asyncio.wait_for(self.run_nothing(), PROBE_LIMIT_S)
                self.ready.set()
            except (asyncio.TimeoutError, ClusterError):
                pass
            self.cancels = 0
        if self.ready.is_set() and self.state == "starting":
            await self.set_state("running")

    async def run_nothing(self):
        stream = self.requests("true")
        try:
            async for _ in stream:
                pass
        finally:
            await stream.aclose()

    def cancel(self):
        self.cancels += 1
        self.agent_writer.write(agent.CANCEL)

    async def requests(self, command):
        """Yields ("out", bytes)... and last ("exit", status). The agent lock is held."""
        if not self.agent_writer:
            raise ClusterError(f"node {self.number} is off")
        if agent.unsendable(command):
            raise ClusterError("a command cannot hold the characters with the codes 0 and 2")
        self.request_id += 1
        self.request = asyncio.Queue()
        finished = False
        try:
            self.agent_writer.write(agent.request(self.request_id, command))
            while not finished:
                kind, value = await self.request.get()
                if kind == "lost":
                    finished = True
                    raise ClusterError(f"node {self.number} was lost while the command ran ({value})")
                finished = kind == "exit"
                yield kind, value
        finally:
            self.request = None
            if not finished and self.agent_writer:
                self.cancel()

    async def wait_ready(self, limit):
        if not self.process:
            raise ClusterError(f"node {self.number} is off ({self.why or 'not started'})")
        ready = asyncio.ensure_future(self.ready.wait())
        gone = asyncio.ensure_future(self.wait_state(lambda: self.process is None))
        done, rest = await asyncio.wait({ready, gone}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        if ready not in done:
            raise ClusterError(f"node {self.number} ({self.state}{', ' + self.why if self.why else ''}): its shell does not "
                               f"answer; its last words: {self.last_line or '(none)'}")

    def describe(self):
        return {"node": self.number, "state": self.state, "why": self.why, "boots": self.boots, "restarts": self.restarts,
                "pid": self.process.pid if self.process else None, "shell": self.ready.is_set(),
                "seconds": round(time.monotonic() - self.started_at, 1) if self.process else None,
                "mac": qemu.mac_of(self.number), "address": qemu.address_of(self.number), "line": self.last_line,
                "log": self.log_path}
