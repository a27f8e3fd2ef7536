"""tools/cluster: clusters of Shoal machines in QEMU."""
import argparse
import json
import os
import re
import select
import shutil
import signal
import sys
import termios
import time
import tty

from . import badness, paths
from .client import Cluster, Connection
from .paths import ClusterError

DETACH = b"\x1d"  # ^]
READY_LIMIT_S = 300.0
QUORUM_LIMIT_S, QUORUM_PAUSE_S = 60.0, 0.2
COMMAND_NOT_FOUND = 127
RESTARTS_MOST = 3
WORDS_LIMIT_S, WORDS_PAUSE_S = 2.0, 0.05
STOPPED = re.compile(r"\*\*\* what to do: |Press a key to restart the machine")  # last words of a boot that goes no further
WHY = re.compile(r"the boot stops: |Shoal cannot start|\*\*\* panic")


def folder_of(options):
    return paths.check_folder(options.dir or paths.default_folder(options.name))


def cluster_of(options):
    return Cluster(folder_of(options))


# ---- up ----

class Progress:
    """Shows what the machines are doing: a block that is redrawn on a terminal, a line a change elsewhere."""

    def __init__(self, count):
        self.live = sys.stderr.isatty()
        self.started = time.monotonic()
        self.rows = {}
        self.count, self.drawn = count, 0

    def update(self, row):
        before = self.rows.get(row["node"])
        self.rows[row["node"]] = row
        if self.live:
            self.draw()
        elif before is None or (before["state"], before["shell"]) != (row["state"], row["shell"]):
            print(self.text(row), file=sys.stderr, flush=True)

    def text(self, row):
        state = f"{row['state']} ({row['why']})" if row["why"] else row["state"]
        width = shutil.get_terminal_size().columns if self.live else 160
        return f"{time.monotonic() - self.started:6.1f} s  node {row['node']}  {state:10} {row['line']}"[:width - 1]

    def draw(self):
        up = f"\x1b[{self.drawn}A" if self.drawn else ""
        self.drawn = len(self.rows)
        body = "".join(f"\r\x1b[K{self.text(self.rows[n])}\n" for n in sorted(self.rows))
        sys.stderr.write(up + body)
        sys.stderr.flush()


def wait_for_shells(cluster, nodes, limit):
    """Follows the machines until every shell answers. A machine that ends by itself ends the waiting."""
    progress = Progress(nodes)
    end = time.monotonic() + limit
    with Connection(cluster.control_path()) as connection:
        connection.send("watch")
        while True:
            row = connection.answer()
            if row is None:
                raise ClusterError("the cluster went down meanwhile")
            progress.update(row)
            if STOPPED.search(row["line"]):
                raise ClusterError(f"node {row['node']} stopped while starting: {stop_words(row['log'])}")
            if row["restarts"] >= RESTARTS_MOST and not row["shell"]:
                raise ClusterError(f"node {row['node']} restarts again and again: {stop_words(row['log'])}")
            rows = progress.rows.values()
            gone = [r for r in rows if r["state"] == "off" and r["boots"]]
            if gone:
                raise ClusterError(f"node {gone[0]['node']} ended while starting: {gone[0]['why']}; its log: {gone[0]['log']}")
            if len(rows) == nodes and all(r["shell"] for r in rows):
                return
            left = end - time.monotonic()
            if left <= 0 or not (b"\n" in connection.buffer or select.select([connection.socket], [], [], left)[0]):
                silent = [str(r["node"]) for r in rows if not r["shell"]]
                raise ClusterError(f"after {limit:.0f} s there is no shell on node {', '.join(silent)}")


def stop_words(log):
    """Why the kernel or the loader stopped, and what to do, as the console said it last."""
    end = time.monotonic() + WORDS_LIMIT_S
    text = ""
    while not text.endswith("\n") and time.monotonic() < end:  # the last line is still on its way
        time.sleep(WORDS_PAUSE_S)
        with open(log, errors="replace") as stream:
            text = stream.read()
    lines = [line.strip() for line in text.splitlines()]
    start = max((i for i, line in enumerate(lines) if WHY.search(line)), default=max(len(lines) - 4, 0))
    return "\n".join(lines[start:start + 4]).strip()


def wait_for_quorum(cluster, nodes):
    """A cluster without a quorum is still worth talking to: then this only says what it waits for."""
    if cluster.exec(1, "raft", limit=QUORUM_LIMIT_S).status == COMMAND_NOT_FOUND:
        return
    end = time.monotonic() + QUORUM_LIMIT_S
    waiting = {n: "" for n in range(1, nodes + 1)}
    while waiting and time.monotonic() < end:
        for number in list(waiting):
            there, waiting[number] = cluster.has_quorum(number)
            if there:
                del waiting[number]
        if waiting:
            time.sleep(QUORUM_PAUSE_S)
    for number, what in waiting.items():
        print(f"node {number} is not in the cluster yet: {what}", file=sys.stderr)


def parse_conf(texts):
    """`key = value` for all nodes, `N:key = value` for one."""
    result = []
    for text in texts:
        number, colon, rest = text.partition(":")
        single = bool(colon) and number.strip().isdigit()
        result.append((int(number), rest) if single else (0, text))
    return result


def settings_of(options):
    settings = {"nodes": options.n, "boot": options.boot, "mem": options.mem, "smp": options.smp, "accel": options.accel,
                "conf": parse_conf(options.conf), "capture": options.capture, "logs": options.logs,
                "diskless": [int(n) for n in options.diskless.split(",") if n]}
    if options.seed is not None:
        settings["seed"] = options.seed
    return settings


def start(options, attached):
    cluster = Cluster.up(name=options.name, folder=options.dir, attached=attached, **settings_of(options))
    try:
        if options.wait:
            wait_for_shells(cluster, options.n, options.limit)
            wait_for_quorum(cluster, options.n)
    except ClusterError as error:
        if not attached:
            raise ClusterError(f"{error}\nthe cluster is still there ({cluster.folder}): `tools/cluster status`, `log NODE`, "
                               "`down`") from error
        keep_logs(cluster)
        cluster.down()
        raise
    except BaseException:
        cluster.down()
        raise
    return cluster


def keep_logs(cluster):
    """The consoles of a cluster that failed outlive its folder."""
    target = os.path.join(paths.build_folder(), "failed-run")
    shutil.rmtree(target, ignore_errors=True)
    os.makedirs(target)
    for row in cluster.status()["nodes"]:
        if os.path.exists(row["log"]):
            shutil.copy(row["log"], os.path.join(target, f"node{row['node']}.log"))
    print(f"the machines' console logs are in {target}", file=sys.stderr)


def command_up(options):
    started = time.monotonic()
    cluster = start(options, attached=False)
    status = cluster.status()
    print(f"{options.n} nodes up in {time.monotonic() - started:.1f} s ({status['accel']}, seed {status['seed']}) in "
          f"{cluster.folder}")
    print("next: tools/cluster console 1 · exec 1 'nodes' · status · down")
    return 0


# ---- run: up, node 1's console, down ----

def open_script(path):
    try:
        return sys.stdin if path == "-" else open(path)
    except OSError as error:
        raise ClusterError(f"{path}: {error.strerror}; a file of commands for node 1's shell is expected") from error


def run_script(cluster, stream):
    """Feeds commands to node 1's shell one by one; the last one's status."""
    status = 0
    for line in stream:
        command = line.strip()
        if not command or command.startswith("#"):
            continue
        status = cluster.exec(1, command, on_output=write_out).status & 0xff
    return status


def command_run(options):
    path = options.script or (None if sys.stdin.isatty() else "-")
    script = open_script(path) if path else None
    cluster = start(options, attached=True)
    try:
        if script:
            return run_script(cluster, script)
        print("This is the shell of node 1. `help` shows what it can do; `poweroff` or ^] leaves and ends the nodes.",
              file=sys.stderr)
        return attach_console(cluster, 1)
    finally:
        cluster.down()


# ---- the console ----

def attach_console(cluster, node):
    """The terminal becomes the machine's console, until ^] or until the machine is off."""
    with Connection(cluster.control_path()) as connection:
        connection.send("console", node=node)
        connection.last_answer()
        raw = sys.stdin.isatty()
        saved = termios.tcgetattr(sys.stdin) if raw else None
        try:
            if raw:
                tty.setraw(sys.stdin)
            pump_console(connection)
        finally:
            if raw:
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, saved)
                print(file=sys.stderr)
    return 0


def pump_console(connection):
    write_out(connection.buffer)
    inputs = [connection.socket, sys.stdin]
    while True:
        ready, _, _ = select.select(inputs, [], [])
        if connection.socket in ready:
            data = connection.socket.recv(65536)
            if not data:
                return
            write_out(data)
        if sys.stdin in ready:
            data = os.read(sys.stdin.fileno(), 4096)
            before, detach, _ = data.partition(DETACH)
            if before:
                connection.socket.sendall(before)
            if detach:
                return
            if not data:
                inputs.remove(sys.stdin)


def write_out(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


# ---- the other commands ----

def command_exec(options):
    return cluster_of(options).exec(options.node, options.text, on_output=write_out).status & 0xff


def command_console(options):
    print("^] leaves the console", file=sys.stderr)
    return attach_console(cluster_of(options), options.node)


def link_words(link):
    words = ["cut"] if link["cut"] else []
    words += [f"drops {link['drop']:g} %"] if link["drop"] else []
    words += [f"delays {link['delay_ms']:g} ms"] if link["delay_ms"] else []
    words += [f"{what}s {link[what]:g} %" for what in ("alter", "double", "reorder") if link[what]]
    return f"link {link['from']} -> {link['to']}: {', '.join(words)}"


def command_status(options):
    status = cluster_of(options).status()
    if options.json:
        print(json.dumps(status, indent=1))
        return 0
    print(f"cluster {status['name']} in {status['folder']}: {status['boot']}, {status['accel']}, seed {status['seed']}")
    for row in status["nodes"]:
        state = f"{row['state']} ({row['why']})" if row["why"] else row["state"]
        up = f"{row['seconds']:.0f} s" if row["seconds"] is not None else "-"
        print(f"node {row['node']:2}  {state:24} {row['address']:12} up {up:>7}  {row['boots']} power-ons, {row['restarts']} "
              f"restarts  {row['line'][:60]}")
    for link in status["links"]:
        print(link_words(link))
    for number, words in status["disks"].items():
        if words:
            print(f"disk of node {number}: {', '.join(words)}")
    return 0


def command_disk(options):
    cluster, node, what = cluster_of(options), options.node, options.what
    if what in ("save", "restore"):
        (cluster.save_disk if what == "save" else cluster.restore_disk)(node, options.image)
        return 0
    arguments = {name: value for name, value in vars(options).items()
                 if name in ("ms", "kind", "times", "area", "range", "count", "seed") and value is not None}
    if what == "full":
        arguments["from"] = options.offset
    answer = cluster.disk("counts" if what == "show" else what, node, **arguments)
    if "places" in answer:
        print(f"bytes flipped at {', '.join(map(str, answer['places'])) or '(nothing is there to harm)'}")
    if what == "show":
        counts = answer["counts"]
        print(f"{', '.join(answer['words']) or 'healthy'}; {counts['reads']} reads, {counts['writes']} writes, "
              f"{counts['flushes']} flushes, {answer['unflushed']} writes not flushed")
    return 0


def add_disk_options(command):
    command.add_argument("node", type=int)
    kinds = command.add_subparsers(dest="what", required=True, metavar="WHAT")

    def kind(name, text):
        return kinds.add_parser(name, help=text, description=text)

    kind("slow", "each request takes so many milliseconds longer; 0 ends it").add_argument("ms", type=float)
    kind("stall", "requests wait until `heal`")
    fail = kind("fail", "requests of a kind fail with an I/O error")
    fail.add_argument("kind", choices=badness.KINDS)
    fail.add_argument("--times", type=int, help="so many; without it, all until `heal`")
    kind("full", "writes that reach beyond this byte find no room").add_argument("offset", type=int)
    damage = kind("damage", "flip a byte in sectors that hold something, on the medium itself")
    damage.add_argument("--area", choices=("superblocks", "log", "snapshots", "all"), help="where (log)")
    damage.add_argument("--range", type=int, nargs=2, metavar=("FROM", "TO"), help="or between these bytes")
    damage.add_argument("--count", type=int, help="how many sectors (1)")
    damage.add_argument("--seed", type=int, help="which (1)")
    kind("save", "keep an image of what it holds for good now").add_argument("image", metavar="NAME")
    kind("restore", "it becomes that older image again; the node is off").add_argument("image", metavar="NAME")
    kind("heal", "undo slow, stall, fail and full; harmed bytes stay as they are")
    kind("show", "what is wrong with it, and what it has done")


def command_replay(options):
    print(f"{cluster_of(options).replay(options.a, options.b, options.one_way)} frames sent again")
    return 0


def command_log(options):
    log = next((row["log"] for row in cluster_of(options).status()["nodes"] if row["node"] == options.node), None)
    if log is None:
        raise ClusterError(f"there is no node {options.node}")
    with open(log, "rb") as stream:
        shutil.copyfileobj(stream, sys.stdout.buffer)
    return 0


def command_down(options):
    try:
        cluster_of(options).down(keep=options.keep)
    except ClusterError:
        if not Cluster.remove_leftovers(folder_of(options)):
            raise
    return 0


def simple(method, *names):
    def run(options):
        getattr(cluster_of(options), method)(*(getattr(options, name) for name in names))
        return 0
    return run


def add_up_options(parser):
    parser.add_argument("-n", type=int, default=3, help="how many nodes (3)")
    parser.add_argument("--boot", default="uefi", choices=("uefi", "pxe", "pvh"), help="the door (uefi)")
    parser.add_argument("--mem", type=int, default=128, help="MiB a node (128)")
    parser.add_argument("--smp", default="1", help="CPUs a node (1)")
    parser.add_argument("--accel", default="auto", choices=("auto", "kvm", "tcg"), help="auto: KVM if it really runs a guest")
    parser.add_argument("--seed", type=int, help="of the switch's losses and the disks' torn writes")
    parser.add_argument("--conf", action="append", default=[], metavar="'[N:]key = value'",
                        help="one more line of shoal.conf, for all nodes or one")
    parser.add_argument("--diskless", default="", metavar="N,N", help="nodes without a log disk")
    parser.add_argument("--capture", metavar="FILE", help="write all frames to a pcap file, from power-on")
    parser.add_argument("--logs", metavar="FOLDER", help="keep the console logs there, NODE.log")
    parser.add_argument("--limit", type=float, default=READY_LIMIT_S, help="seconds after which a silent node is given up")
    parser.add_argument("--no-wait", dest="wait", action="store_false", help="return at power-on")


def build_parser():
    parser = argparse.ArgumentParser(prog="cluster", description=__doc__)
    parser.add_argument("--name", default="shoal", help="which cluster (shoal)")
    parser.add_argument("--dir", help="its folder, instead of one made from the name")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name, handler, text, *arguments):
        command = commands.add_parser(name, help=text, description=text)
        # The name or folder may also follow the command, as people expect.
        command.add_argument("--name", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        command.add_argument("--dir", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        for argument in arguments:
            argument(command)
        command.set_defaults(handler=handler)

    def node(command):
        command.add_argument("node", type=int)

    def pair(command):
        command.add_argument("a", type=int)
        command.add_argument("b", type=int)

    def optional_pair(command):
        command.add_argument("a", type=int, nargs="?")
        command.add_argument("b", type=int, nargs="?")

    def flag(name, text):
        return lambda command: command.add_argument(name, action="store_true", help=text)

    add("up", command_up, "start machines and wait for their shells", add_up_options)
    add("run", command_run, "up, then the console of node 1 (or a script of commands); leaving ends the nodes",
        add_up_options, lambda c: c.add_argument("script", nargs="?", help="commands for node 1's shell; - is standard input"))
    add("exec", command_exec, "run a command in a node's shell; exits with its status", node,
        lambda c: c.add_argument("text", metavar="COMMAND"))
    add("console", command_console, "use a node's console; ^] leaves", node)
    add("status", command_status, "what the machines are doing", flag("--json", "for programs"))
    add("kill", simple("kill", "node"), "cut a node's power", node)
    add("pause", simple("pause", "node"), "stop a node's CPUs", node)
    add("resume", simple("resume", "node"), "let them go on", node)
    add("restart", simple("restart", "node", "blank_disk"), "cut a node's power if it is on, and power it on", node,
        flag("--blank-disk", "with a new, empty log disk"))
    add("cut", simple("cut", "a", "b", "one_way"), "no frames between two nodes", pair, flag("--one-way", "only from A to B"))
    add("heal", simple("heal", "a", "b"), "undo cut, drop, delay, alter, double and reorder: everywhere, of one node, or of one link", optional_pair)
    add("drop", simple("drop", "a", "b", "percent", "one_way"), "lose frames between two nodes", pair,
        lambda c: c.add_argument("percent", type=float), flag("--one-way", "only from A to B"))
    add("delay", simple("delay", "a", "b", "ms"), "delay frames between two nodes", pair,
        lambda c: c.add_argument("ms", type=float))
    add("alter", simple("alter", "a", "b", "percent", "one_way"), "flip a bit in the cluster's own frames between two nodes",
        pair, lambda c: c.add_argument("percent", type=float), flag("--one-way", "only from A to B"))
    for name, text in (("double", "deliver frames between two nodes twice"),
                       ("reorder", "keep frames between two nodes back, so that others overtake them")):
        add(name, simple(name, "a", "b", "percent", "one_way"), text, pair,
            lambda c: c.add_argument("percent", type=float), flag("--one-way", "only from A to B"))
    add("disk", command_disk, "make a node's log disk slow, full, failing or harmed; keep and put back images of it",
        add_disk_options)
    add("replay", command_replay, "send the cluster's latest own frames between two nodes once more", pair,
        flag("--one-way", "only from A to B"))
    add("log", command_log, "print a node's console log", node)
    add("down", command_down, "end all machines and processes of the cluster and remove its files",
        flag("--keep", "keep disks, key and logs for the next `up`"))
    return parser


def end_on_signal(*_):
    raise KeyboardInterrupt


def main():
    options = build_parser().parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_on_signal)
    try:
        sys.exit(options.handler(options))
    except ClusterError as error:
        sys.exit(f"cluster: {error}")
    except BrokenPipeError:
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
