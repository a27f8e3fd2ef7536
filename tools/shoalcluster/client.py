"""The Python API of clusters, for tools/cluster and for tests alike."""
import base64
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import uuid

from . import paths, qemu
from .paths import ClusterError

DEFAULTS = {"nodes": 3, "boot": "pvh", "mem": 128, "smp": "1", "cpu": "max", "accel": "auto", "diskless": [], "conf": [],
            "capture": None, "logs": None, "node_settings": {}, "tftp": None}
KEY_BYTES = 32
COMMAND_LIMIT_S = 60.0


class Connection:
    """One conversation with the keeper."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(path)
        except OSError as error:
            self.socket.close()
            raise ClusterError(f"no cluster runs in {os.path.dirname(path)}; `tools/cluster up` starts one, --name or --dir "
                               "chooses another") from error
        self.buffer = b""

    def send(self, op, **arguments):
        self.socket.sendall(json.dumps(dict(arguments, op=op)).encode() + b"\n")

    def answer(self):
        """The next answer, or None when the keeper closed the conversation."""
        while b"\n" not in self.buffer:
            data = self.socket.recv(1 << 16)
            if not data:
                return None
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)

    def last_answer(self):
        answer = self.answer()
        if answer is None:
            raise ClusterError("the cluster went down meanwhile")
        if not answer.get("ok"):
            raise ClusterError(answer["error"])
        return answer

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Result:
    """What a command on a node came to."""

    def __init__(self, status, output):
        self.status, self.output = status, output

    @property
    def text(self):
        return self.output.decode(errors="replace")

    def __repr__(self):
        return f"Result(status={self.status}, text={self.text!r})"


class Cluster:
    """A running cluster, known by its folder."""

    def __init__(self, folder):
        self.folder = folder
        self.keeper = None
        self.lifeline = None

    # ---- up and down ----

    @classmethod
    def up(cls, name="shoal", folder=None, attached=False, power=True, **settings):
        """Starts a cluster; returns when its machines are powered on. Settings: see DEFAULTS, and `seed`.
        attached: the cluster goes down when this process ends. power=False: leaves the machines off."""
        unknown = set(settings) - set(DEFAULTS) - {"seed", "build", "uuid"}
        if unknown:
            raise TypeError(f"unknown settings {unknown}")
        cluster = cls(paths.check_folder(folder or paths.default_folder(name)))
        cluster.refuse_running()
        merged = dict(DEFAULTS, **settings)
        merged["name"], merged["build"] = name, settings.get("build") or paths.build_folder()
        if not 1 <= merged["nodes"] <= 64:
            raise ClusterError(f"{merged['nodes']} nodes: expected 1 to 64")
        qemu.check_build(merged["boot"], merged["build"])
        merged["accel"] = qemu.choose_accel(merged["accel"], merged["boot"])
        merged.setdefault("seed", secrets.randbits(32))
        cluster.prepare_folder(merged)
        cluster.start_keeper(attached)
        if power:
            try:
                for number in range(1, merged["nodes"] + 1):
                    cluster.power_on(number)
            except BaseException:
                cluster.down()
                raise
        return cluster

    def refuse_running(self):
        try:
            Connection(self.control_path()).close()
        except ClusterError:
            return
        raise ClusterError(f"a cluster runs in {self.folder} already: `tools/cluster down` ends it; --name or --dir "
                           "makes another one beside it")

    def control_path(self):
        return os.path.join(self.folder, "control")

    def prepare_folder(self, settings):
        old = os.path.join(self.folder, "settings.json")
        self.fresh = not os.path.exists(os.path.join(self.folder, "state.json"))
        if os.path.isdir(self.folder) and os.listdir(self.folder) and not os.path.exists(old):
            raise ClusterError(f"{self.folder} holds other things: give an empty or new folder with --dir")
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        if settings["logs"]:
            settings["logs"] = os.path.abspath(settings["logs"])
            os.makedirs(settings["logs"], exist_ok=True)
        if settings["capture"]:
            settings["capture"] = os.path.abspath(settings["capture"])
        if os.path.exists(old):
            with open(old) as stream:
                settings["uuid"] = json.load(stream)["uuid"]
        settings.setdefault("uuid", str(uuid.uuid4()))
        with open(old, "w") as stream:
            json.dump(settings, stream, indent=1)
        key = os.path.join(self.folder, "key")
        if not os.path.exists(key):
            with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as stream:
                stream.write(secrets.token_bytes(KEY_BYTES))
        for path in ("control", "switch", "disks"):
            if os.path.exists(os.path.join(self.folder, path)):
                os.unlink(os.path.join(self.folder, path))
        for entry in os.listdir(self.folder):
            if entry.startswith(("port", "disk")) and entry[4:].isdigit():
                os.unlink(os.path.join(self.folder, entry))

    def start_keeper(self, attached):
        command = [sys.executable, "-m", "shoalcluster.keeper", self.folder]
        read_end = write_end = None
        if attached:
            read_end, write_end = os.pipe()
            command.append(str(read_end))
        environment = dict(os.environ, PYTHONPATH=os.path.join(paths.TOP, "tools"))
        with open(os.path.join(self.folder, "keeper.log"), "wb") as errors:
            self.keeper = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                           start_new_session=True, env=environment,
                                           pass_fds=[read_end] if attached else [])
        if attached:
            os.close(read_end)
            self.lifeline = write_end
        line = self.keeper.stdout.readline().decode().strip()
        self.keeper.stdout.close()
        if line != "ready":
            with open(os.path.join(self.folder, "keeper.log")) as stream:
                words = line.removeprefix("error ") or stream.read().strip()[-1000:]
            self.keeper.wait()
            raise ClusterError(f"the cluster's keeper did not start: {words}")

    def down(self, keep=False):
        """Ends every machine and process; removes the folder unless told to keep the disks for a later `up`."""
        try:
            with Connection(self.control_path()) as connection:
                connection.send("down", keep=keep)
                connection.last_answer()
                while connection.answer() is not None:
                    pass
        finally:
            if self.keeper:
                self.keeper.wait()
            if self.lifeline is not None:
                os.close(self.lifeline)
                self.lifeline = None

    @staticmethod
    def remove_leftovers(folder):
        """A folder whose keeper was killed: nothing runs any more, only files are left."""
        if os.path.exists(os.path.join(folder, "settings.json")):
            shutil.rmtree(folder)
            return True
        return False

    # ---- commands ----

    def call(self, op, **arguments):
        with Connection(self.control_path()) as connection:
            connection.send(op, **arguments)
            return connection.last_answer()

    def status(self):
        return self.call("status")

    def power_on(self, node):
        self.call("power_on", node=node)

    def kill(self, node):
        """Power cut: what the disk had not flushed is kept, dropped or torn by the seed."""
        self.call("kill", node=node)

    def restart(self, node, blank_disk=False):
        self.call("restart", node=node, blank_disk=blank_disk)

    def pause(self, node):
        self.call("pause", node=node)

    def resume(self, node):
        self.call("resume", node=node)

    def cut(self, a=None, b=None, one_way=False):
        self.switch("cut", a, b, one_way=one_way)

    def heal(self, a=None, b=None):
        self.switch("heal", a, b)

    def drop(self, a, b, percent, one_way=False):
        self.switch("drop", a, b, percent=percent, one_way=one_way)

    def delay(self, a, b, ms, jitter_ms=0, one_way=False):
        self.switch("delay", a, b, ms=ms, jitter_ms=jitter_ms, one_way=one_way)

    def alter(self, a, b, percent, one_way=False):
        """Flips a bit in so many of the cluster's own frames (UDP port 7447)."""
        self.switch("alter", a, b, percent=percent, one_way=one_way)

    def double(self, a, b, percent, one_way=False):
        self.switch("double", a, b, percent=percent, one_way=one_way)

    def reorder(self, a, b, percent, one_way=False):
        """Keeps so many frames back for up to 20 ms, so that others overtake them."""
        self.switch("reorder", a, b, percent=percent, one_way=one_way)

    def replay(self, a, b, one_way=False):
        """Sends the cluster's own latest frames between the two once more; how many."""
        return self.switch("replay", a, b, one_way=one_way)["frames"]

    def switch(self, op, a=None, b=None, **arguments):
        return self.call("switch", command=dict(arguments, op=op, **{"from": a, "to": b}))

    def disk(self, op, node, **arguments):
        return self.call("disk", command=dict(arguments, op=op, disk=node))

    def save_disk(self, node, name):
        """An image of what the disk holds for good now."""
        return self.call("image", node=node, name=name, restore=False)

    def restore_disk(self, node, name):
        """The disk of a node that is off becomes that older image."""
        return self.call("image", node=node, name=name, restore=True)

    def qmp(self, node, command, **arguments):
        return self.call("qmp", node=node, command=command, arguments=arguments)["return"]

    def wait_shell(self, node, limit=300.0):
        self.call("wait_shell", node=node, limit=limit)

    def exec(self, node, command, limit=None, on_output=None):
        """Runs a command in the node's shell; its output goes to on_output as it comes, or into the result."""
        output = []
        with Connection(self.control_path()) as connection:
            connection.send("exec", node=node, command=command, limit=limit)
            while True:
                answer = connection.answer()
                if answer is None:
                    raise ClusterError("the cluster went down meanwhile")
                if "out" in answer:
                    (on_output or output.append)(base64.b64decode(answer["out"]))
                elif not answer["ok"]:
                    raise ClusterError(answer["error"])
                else:
                    return Result(answer["status"], b"".join(output))

    def has_quorum(self, node):
        """Whether the node sees a leader that more than half of the voters follow; what it waits for otherwise."""
        result = self.exec(node, "raft", limit=COMMAND_LIMIT_S)
        if re.search(r"^quorum\s+yes", result.text, re.M) and not re.search(r"^leader\s+node 0", result.text, re.M):
            return True, ""
        waits = re.search(r"^waits for\s+(.*)", result.text, re.M)
        return False, waits[1] if waits else result.text.strip().split("\n")[-1]

    def wait_quorum(self, nodes, limit=300.0):
        """Until all these nodes see a quorum."""
        for node in nodes:
            self.wait_until(lambda: self.has_quorum(node)[0], f"node {node} sees a quorum", limit)

    def position(self, node):
        """Where the node's console output stands now; for expect(since=)."""
        return self.call("position", node=node)["position"]

    def expect(self, node, pattern, since=0, limit=300.0):
        """Waits until the console said something that matches; {"text", "groups", "end"}."""
        return self.call("expect", node=node, pattern=pattern, since=since, limit=limit)

    def type(self, node, text):
        """Keys at the node's console; the position before them."""
        data = text.encode() if isinstance(text, str) else text
        return self.call("type", node=node, data=base64.b64encode(data).decode())["position"]

    def console_text(self, node):
        log = next(row["log"] for row in self.status()["nodes"] if row["node"] == node)
        with open(log, errors="replace") as stream:
            return stream.read()

    def wait_until(self, condition, what, limit=300.0, pause_s=0.3):
        """Asks again and again, as a person would, until condition() is true; its value."""
        end = time.monotonic() + limit
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise ClusterError(f"{what}: not so after {limit:.0f} s")
            time.sleep(pause_s)
