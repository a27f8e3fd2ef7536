"""The process that owns a cluster: it starts switch, disks and machines, and obeys commands on the socket `control`.

Everything it starts dies with it. When told so, or when the pipe from its owner closes, it ends all and removes the
cluster's folder. A command is a JSON line; its answers are JSON lines, the last one with "done".
"""
import asyncio
import base64
import json
import os
import re
import shutil
import signal
import sys

from . import qemu
from .node import Node, die_with_parent
from .paths import ClusterError

GATEWAY_ADDRESS, POOL_ADDRESS, NETMASK = "10.0.0.254", "10.0.0.100", "255.255.255.0"
DISK_BYTES = 64 << 20
SHELL_WAIT_S = 120.0
LINK_FAULTS = ("cut", "drop", "delay_ms", "alter", "double", "reorder")
# The firmware clears the screen and homes the cursor; shown once more, it would wipe what the terminal said before.
FIRMWARE_CODES = re.compile(rb"\x1b\[2J\x1b\[01;01H|\x1b\[=3h")
IMAGE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Helper:
    """The switch or the disk process: started with JSON on its standard input, commanded by JSON lines."""

    def __init__(self, name, module, folder, socket_name):
        self.name, self.module, self.folder = name, module, folder
        self.socket = os.path.join(folder, socket_name)
        self.process = self.reader = self.writer = None
        self.lock = asyncio.Lock()

    async def start(self, settings):
        with open(os.path.join(self.folder, self.name + ".log"), "wb") as errors:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", f"shoalcluster.{self.module}", self.folder, stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE, stderr=errors, preexec_fn=die_with_parent, start_new_session=True)
        self.process.stdin.write(json.dumps(settings).encode())
        self.process.stdin.close()
        if await self.process.stdout.readline() != b"ready\n":
            with open(os.path.join(self.folder, self.name + ".log")) as stream:
                raise ClusterError(f"the {self.name} process did not start: {stream.read().strip()[-500:]}")
        self.reader, self.writer = await asyncio.open_unix_connection(self.socket, limit=1 << 24)

    async def command(self, **command):
        async with self.lock:
            self.writer.write(json.dumps(command).encode() + b"\n")
            line = await self.reader.readline()
        answer = json.loads(line) if line else {"ok": False, "error": f"the {self.name} process is gone"}
        if not answer["ok"]:
            raise ClusterError(answer["error"])
        return answer


class Keeper:
    def __init__(self, folder):
        self.folder = folder
        with open(os.path.join(folder, "settings.json")) as stream:
            self.settings = json.load(stream)
        self.state_path = os.path.join(folder, "state.json")
        self.born = os.path.exists(self.state_path)
        self.nodes, self.watchers = {}, set()
        self.switch = Helper("switch", "switch", folder, "switch")
        self.disks = Helper("disks", "nbd", folder, "disks")
        self.ending = asyncio.Event()
        self.keep = False
        self.genesis_given = set()

    # ---- start ----

    def gateway_settings(self):
        numbers, build = range(1, self.settings["nodes"] + 1), self.settings["build"]
        names = ("BOOTX64.EFI", "shoal.img", "shoal.conf")
        files = {name: os.path.join(self.settings.get("tftp") or build, name) for name in names}
        return {"address": GATEWAY_ADDRESS, "netmask": NETMASK, "pool": POOL_ADDRESS, "files": files,
                "hosts": {qemu.mac_of(n): qemu.address_of(n) for n in numbers},
                "bootfile": "BOOTX64.EFI" if self.settings["boot"] == "pxe" else None}

    def disk_numbers(self):
        return [n for n in range(1, self.settings["nodes"] + 1) if n not in self.settings["diskless"]]

    async def start(self):
        await self.switch.start({"seed": self.settings["seed"], "nodes": self.settings["nodes"],
                                 "gateway": self.gateway_settings()})
        if self.settings.get("capture"):
            await self.switch.command(op="capture", path=self.settings["capture"])
        disks = [{"number": n, "path": os.path.join(self.folder, f"node{n}", "disk.img"), "size": DISK_BYTES}
                 for n in self.disk_numbers()]
        for number in range(1, self.settings["nodes"] + 1):
            os.makedirs(os.path.join(self.folder, f"node{number}"), exist_ok=True)
        await self.disks.start({"seed": self.settings["seed"], "disks": disks})
        for number in range(1, self.settings["nodes"] + 1):
            folder = os.path.join(self.folder, f"node{number}")
            logs = self.settings.get("logs")
            log = os.path.join(logs, f"node{number}.log") if logs else os.path.join(folder, "console.log")
            self.nodes[number] = Node(number, folder, log, self.node_changed)
            await self.nodes[number].listen()
        await asyncio.start_unix_server(self.client, os.path.join(self.folder, "control"), limit=1 << 24)

    # ---- machines ----

    def voters(self):
        """The first voters: three nodes with disks where there are three, otherwise the first three."""
        with_disk = self.disk_numbers()
        return with_disk[:3] if len(with_disk) >= 3 else list(range(1, min(3, self.settings["nodes"]) + 1))

    def config_text(self, number, genesis):
        lines = [f"cluster = {self.settings['name']}",
                 "voters = " + ", ".join(qemu.mac_of(n) for n in self.voters()),
                 f"node = node{number}", "address = dhcp", "agent = com2", "console = serial",
                 "disk = " + ("none" if number in self.settings["diskless"] else "auto")]
        if genesis:
            lines.append("genesis = yes")
        for only, line in self.settings["conf"]:
            if only in (0, number):
                lines.append(line)
        return "\n".join(lines) + "\n"

    def prepare_firmware_files(self, number):
        folder = os.path.join(self.folder, f"node{number}")
        # Once in a cluster's life, and once a node: a later power-on of the same node must never begin a second one.
        genesis = not self.born and number in self.voters() and number not in self.genesis_given
        self.genesis_given.add(number)
        with open(os.path.join(folder, "conf"), "w") as stream:
            stream.write(self.config_text(number, genesis))
        with open(os.path.join(folder, "seed"), "wb") as stream:
            stream.write(os.urandom(64))

    def key_path(self, number):
        """The cluster key file of a node, or None; a test can give one node another one."""
        special = os.path.join(self.folder, f"node{number}", "key")
        return special if os.path.exists(special) else os.path.join(self.folder, "key")

    def spec(self, number):
        own = dict(self.settings, **self.settings["node_settings"].get(str(number), {}))
        result = {key: own[key] for key in ("boot", "build", "mem", "smp", "cpu", "accel")}
        result.update(node=number, folder=os.path.join(self.folder, f"node{number}"), key=None if own.get("no_key") else self.key_path(number),
                      uuid=own.get("machine_uuid") or qemu.uuid_of(own["uuid"], number), machine=own.get("machine"),
                      extra=own.get("extra"), disk_image=own.get("disk_image"), variables=own.get("variables"),
                      port=None if own.get("no_net") else os.path.join(self.folder, f"port{number}"),
                      disk=os.path.join(self.folder, f"disk{number}") if number in self.disk_numbers() else None)
        return result

    async def power_on(self, number):
        self.prepare_firmware_files(number)
        await self.node(number).power_on(self.spec(number))
        if len(self.genesis_given) >= self.settings["nodes"] and not os.path.exists(self.state_path):
            with open(self.state_path, "w") as stream:
                json.dump({"born": True}, stream)

    def node(self, number):
        if number not in self.nodes:
            raise ClusterError(f"there is no node {number}; nodes are 1 to {self.settings['nodes']}")
        return self.nodes[number]

    async def node_changed(self, node, what):
        if what == "ended" and node.number in self.disk_numbers():
            await self.disks.command(op="cut", disk=node.number)
        for queue in self.watchers:
            queue.put_nowait(dict(node.describe(), what=what))

    # ---- commands ----

    async def client(self, reader, writer):
        try:
            while line := await reader.readline():
                request = json.loads(line)
                handler = getattr(self, "op_" + request.pop("op"), None)
                if handler is None:
                    raise ClusterError("no such command")
                try:
                    answer = await handler(reader, writer, **request)
                    if answer is None:
                        return
                    answer = dict(answer, ok=True, done=True)
                except ClusterError as error:
                    answer = {"ok": False, "done": True, "error": str(error)}
                self.send(writer, answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @staticmethod
    def send(writer, answer):
        writer.write(json.dumps(answer).encode() + b"\n")

    async def op_status(self, *_):
        links = await self.switch.command(op="links")
        return {"name": self.settings["name"], "folder": self.folder, "seed": self.settings["seed"],
                "boot": self.settings["boot"], "accel": self.settings["accel"],
                "nodes": [node.describe() for node in self.nodes.values()],
                "links": [link for link in links["links"] if any(link[what] for what in LINK_FAULTS)],
                "disks": {n: (await self.disks.command(op="counts", disk=n))["words"] for n in self.disk_numbers()}}

    async def op_power_on(self, _reader, _writer, node):
        await self.power_on(node)
        return {}

    async def op_kill(self, _reader, _writer, node):
        if not self.node(node).process:
            raise ClusterError(f"node {node} is off already")
        await self.node(node).power_cut()
        return {}

    async def op_restart(self, _reader, _writer, node, blank_disk=False):
        await self.node(node).power_cut()
        if blank_disk:
            if node not in self.disk_numbers():
                raise ClusterError(f"node {node} has no disk")
            await self.disks.command(op="blank", disk=node)
        await self.power_on(node)
        return {}

    async def op_pause(self, _reader, _writer, node):
        if node in self.disk_numbers() and "stalled" in (await self.disks.command(op="counts", disk=node))["words"]:
            raise ClusterError(f"node {node}'s disk is stalled, and QEMU stops a machine only when its disk has answered: "
                               f"`disk {node} heal` first")
        await self.node(node).qmp_command("stop")
        return {}

    async def op_resume(self, _reader, _writer, node):
        await self.node(node).qmp_command("cont")
        return {}

    async def op_qmp(self, _reader, _writer, node, command, arguments=None):
        return {"return": await self.node(node).qmp_command(command, **(arguments or {}))}

    async def op_switch(self, _reader, _writer, command):
        return await self.switch.command(**command)

    async def op_disk(self, _reader, _writer, command):
        return await self.disks.command(**command)

    async def op_image(self, _reader, _writer, node, name, restore):
        """Saves or restores an image of a node's disk, under a name; the node is off while its disk is replaced."""
        if not IMAGE_NAME.fullmatch(name):
            raise ClusterError(f"'{name}' is no name for an image: letters, digits, - and _")
        path = os.path.join(self.folder, f"node{self.node(node).number}", f"image-{name}")
        if restore and self.node(node).process:
            raise ClusterError(f"node {node} is on: kill it first")
        if restore and not os.path.exists(path):
            raise ClusterError(f"no image '{name}' of node {node}'s disk was saved")
        return await self.disks.command(op="restore" if restore else "save", disk=node, path=path)

    async def op_expect(self, _reader, _writer, node, pattern, since=0, limit=SHELL_WAIT_S):
        return await self.node(node).expect(pattern, since, limit)

    async def op_type(self, _reader, _writer, node, data):
        position = self.node(node).console_position()
        self.node(node).type(base64.b64decode(data))
        return {"position": position}

    async def op_position(self, _reader, _writer, node):
        return {"position": self.node(node).console_position()}

    async def op_wait_shell(self, _reader, _writer, node, limit=SHELL_WAIT_S):
        await self.node(node).wait_ready(limit)
        return {}

    async def op_exec(self, reader, writer, node, command, limit=None):
        """Streams {"out": base64}; the last answer carries the status. A client that leaves cancels its command."""
        machine = self.node(node)
        await machine.wait_ready(SHELL_WAIT_S)
        run = asyncio.ensure_future(self.exec_to(writer, machine, command))
        left = asyncio.ensure_future(reader.read(1))
        done, _ = await asyncio.wait({run, left}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        left.cancel()
        await asyncio.wait({left})
        if run not in done:
            run.cancel()
            await asyncio.wait({run})
            if left in done:
                return None
            raise ClusterError(f"node {node}: '{command}' still ran after {limit:.0f} s")
        return {"status": run.result()}

    async def exec_to(self, writer, machine, command):
        status = 1
        async with machine.agent_lock:
            stream = machine.requests(command)
            try:
                async for kind, value in stream:
                    if kind == "out":
                        self.send(writer, {"out": base64.b64encode(value).decode()})
                        await writer.drain()
                    else:
                        status = value
            finally:
                await stream.aclose()
        return status

    async def op_console(self, reader, writer, node, replay=2000):
        """From its answer on the connection carries the console's bytes both ways."""
        machine = self.node(node)
        self.send(writer, {"ok": True, "done": True})
        writer.write(FIRMWARE_CODES.sub(b"", bytes(machine.console[-replay:])) if replay else b"")
        machine.viewers.add(writer)
        ended = asyncio.ensure_future(machine.wait_state(lambda: machine.state == "off"))
        try:
            while True:
                read = asyncio.ensure_future(reader.read(4096))
                done, _ = await asyncio.wait({read, ended}, return_when=asyncio.FIRST_COMPLETED)
                if read not in done:
                    read.cancel()
                    break
                if not read.result():
                    break
                if machine.console_writer:
                    machine.console_writer.write(read.result())
        finally:
            ended.cancel()
            machine.viewers.discard(writer)

    async def op_watch(self, reader, writer):
        """Streams what changes at any node until the client leaves."""
        queue = asyncio.Queue()
        self.watchers.add(queue)
        left = asyncio.ensure_future(reader.read(1))
        try:
            for node in self.nodes.values():
                self.send(writer, dict(node.describe(), what="state"))
            while not left.done():
                item = asyncio.ensure_future(queue.get())
                await asyncio.wait({item, left}, return_when=asyncio.FIRST_COMPLETED)
                if item.done():
                    self.send(writer, item.result())
                    await writer.drain()
                else:
                    item.cancel()
        finally:
            left.cancel()
            self.watchers.discard(queue)

    async def op_down(self, _reader, _writer, keep=False):
        self.keep = keep
        await self.stop_all()
        asyncio.get_running_loop().call_soon(self.ending.set)
        return {}

    # ---- end ----

    async def stop_all(self):
        for node in self.nodes.values():
            await node.power_cut()
        if self.keep:
            for number in self.disk_numbers():
                await self.disks.command(op="flush", disk=number)

    async def end(self):
        for node in self.nodes.values():
            if node.process:
                node.process.kill()
                await node.process.wait()
        for helper in (self.switch, self.disks):
            if helper.process and helper.process.returncode is None:
                helper.process.kill()
                await helper.process.wait()
        if self.keep:
            remove_sockets(self.folder)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


def remove_sockets(folder):
    """Leaves the cluster's disks, key and logs for the next `up`."""
    import stat
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            if stat.S_ISSOCK(os.lstat(path).st_mode):
                os.unlink(path)


async def watch_lifeline(descriptor, ending):
    """The owner holds the other end of this pipe; when it goes, so does the cluster."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(descriptor, "rb"))
    await reader.read()
    ending.set()


async def run(folder, lifeline):
    keeper = Keeper(folder)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, keeper.ending.set)
    tasks = [loop.create_task(watch_lifeline(lifeline, keeper.ending))] if lifeline is not None else []
    try:
        await keeper.start()
        print("ready", flush=True)
        await keeper.ending.wait()
        await asyncio.sleep(0)
    except ClusterError as error:
        print(f"error {error}", flush=True)
    finally:
        await keeper.end()
        for task in tasks:
            task.cancel()


def main():
    """keeper FOLDER [LIFELINE DESCRIPTOR]"""
    asyncio.run(run(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None))
    os._exit(0)  # connections of clients that hang must not keep a finished keeper alive


if __name__ == "__main__":
    main()
