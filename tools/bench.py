#!/usr/bin/python3
"""make bench: the figures of Shoal, as a table and as JSON in build/bench.json. What each means: docs/009-figures.md.

    bench.py [--only PART,...] [--cuts N] [--timers H/E,...] [--minutes N] [--runs N] [--peer SCRIPT] [--out FILE]

Counts (instructions, frames, bytes, log writes, flushes) repeat; times are of this machine at this moment, so only
ratios to a peer measured beside them mean anything. The machine's load before and after is kept with each part. --peer runs
another system's benchmark after each of our parts that it has a match for, and prints ratios (peer by ours).
"""
import argparse
import json
import os
import pathlib
import platform
import queue
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from shoalcluster import paths  # noqa: E402
from shoalcluster.client import Cluster  # noqa: E402

BUILD = ROOT / "build"
CLK_TCK = os.sysconf("SC_CLK_TCK")
NODES = (1, 2, 3)
OPERATIONS = ("put", "get", "lock", "lock-one")
IDLE_S = 60
GAP_LIMIT_MS = 60000  # so long a client puts at most while it waits for the power cut and the next leader
BULK_MIB = 32
PEER_MIB = 512  # of one machine of the peer, unless it is told otherwise
CORE_ENTRIES = 6400  # of the shorter of two counted runs


def log(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def machine():
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    qemu = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    return {"cpu": cpu, "cores": os.cpu_count(), "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
            "kernel": platform.release(), "qemu": qemu, "accel": "tcg"}


class Fleet:
    """A cluster for the time of one part."""

    def __init__(self, name, **settings):
        self.name, self.settings = name, {"accel": "tcg", **settings}

    def __enter__(self):
        self.cluster = Cluster.up(name=f"bench-{self.name}-{os.getpid()}", attached=True, **self.settings)
        return self.cluster

    def __exit__(self, *_):
        self.cluster.down()


def run(cluster, node, command, limit=600):
    result = cluster.exec(node, command, limit=limit)
    if result.status != 0:
        raise RuntimeError(f"node {node}: `{command}` ended with {result.status}: {result.text.strip()[-300:]}")
    return result.text


class Background:
    """A command on a node, in a thread of its own; its lines as they come."""

    def __init__(self, cluster, node, command, limit=600):
        self.lines, self.rest, self.error = queue.Queue(), b"", None
        self.thread = threading.Thread(target=self.work, args=(cluster, node, command, limit), daemon=True)
        self.thread.start()

    def work(self, cluster, node, command, limit):
        try:
            cluster.exec(node, command, limit=limit, on_output=self.output)
        except (paths.ClusterError, OSError) as error:
            self.error = error
        self.lines.put(None)

    def output(self, data):
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.lines.put(line.decode(errors="replace"))

    def until(self, pattern, limit=300):
        while True:
            try:
                line = self.lines.get(timeout=limit)
            except queue.Empty:
                raise RuntimeError(f"no line with {pattern}") from None
            if line is None:
                raise RuntimeError(f"ended before a line with {pattern}: {self.error or ''}")
            if re.search(pattern, line):
                return line


def json_lines(text):
    """Lines that are JSON, also behind the time that the kernel log puts before each."""
    return [json.loads(line[line.index('{"'):]) for line in text.splitlines() if '{"' in line]


def wait_members(cluster, nodes=NODES, limit=300):
    """These nodes have applied what the leader has, so the tables answer. The most seconds that one's kernel was up by then."""
    return max(json_lines(run(cluster, node, "bench member", limit))[0]["since_start_us"] for node in nodes) / 1e6


def leader_of(cluster, asked=1):
    return int(cluster.wait_until(lambda: re.search(r"^leader\s+node ([1-9]\d*)", cluster.exec(asked, "raft").text, re.M),
                                  "a leader")[1])


# ---- what an operation costs beside time ----

def children(pid):
    return open(f"/proc/{pid}/task/{pid}/children").read().split()


def traffic(cluster):
    """So far: frames and bytes between nodes, writes and flushes of all log disks, processor time of the whole cluster: its
    QEMUs, the switch, the disk server."""
    links = [link for link in cluster.switch("links")["links"] if link["from"] and link["to"]]
    disks = [cluster.disk("counts", node)["counts"] for node in NODES]
    return {"cpu_ms": 1000 * cpu_seconds(children(cluster.keeper.pid)),
            "frames": sum(link["passed"] for link in links), "bytes": sum(link["bytes"] for link in links),
            **{name: sum(disk[name] for disk in disks) for name in ("writes", "flushes", "flush_us")}}


def counted(cluster, work):
    """The rows of work(), with the cluster's traffic an operation; heartbeats and leases are in it."""
    before = traffic(cluster)
    rows = work()
    after, count = traffic(cluster), sum(row["count"] for row in rows)
    for row in rows:
        row.update({f"{name}_each": round((after[name] - before[name]) / count, 2) for name in before})
    return rows


# ---- parts ----

def part_kernel(_):
    """Instructions in the kernel, counted by the processor's time stamp under icount."""
    command = ["qemu-system-x86_64", "-machine", "q35", "-cpu", "max", "-accel", "tcg", "-m", "256", "-nodefaults", "-display",
               "none", "-serial", "stdio", "-no-reboot", "-icount", "shift=0,sleep=off", "-device",
               "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", str(BUILD / "kernel.elf"), "-initrd", str(BUILD / "shoal.img"),
               "-append", "init=test/bench_kernel;panic=exit"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=900)
    rows = json_lines(done.stdout)
    if not rows:
        raise RuntimeError("the kernel's benchmark printed nothing: " + done.stdout[-500:])
    return rows


def boot_once(door):
    """Seconds from the moment before the first machine is switched on."""
    with Fleet(f"boot-{door}", boot=door, nodes=3, power=False) as cluster:
        begin = time.monotonic()
        for node in NODES:
            cluster.power_on(node)
        cluster.wait_shell(1)
        shell = time.monotonic() - begin
        kernel = wait_members(cluster)
        return shell, time.monotonic() - begin, kernel


def part_boot(options):
    """Power-on of three machines to the first one's shell, and to all three members with a leader; best and median."""
    rows = []
    for door in ("pvh", "uefi", "pxe"):
        runs = [boot_once(door) for _ in range(options.runs)]
        for what, times in zip(("shell", "quorum", "quorum, since the kernels' start"), zip(*runs)):
            rows.append({"door": door, "to": what, "runs": len(times), "best_s": round(min(times), 2),
                         "median_s": round(statistics.median(times), 2)})
            log(rows[-1])
    return rows


def tables_on(cluster, node, where):
    rows = []
    for operation in OPERATIONS:
        for clients in (1, 8, 32):
            count = 200 if clients == 1 else 60 * clients
            rows += counted(cluster, lambda: json_lines(run(cluster, node, f"bench {operation} {count} {clients}")))
            rows[-1]["on"] = where
            log(rows[-1])
    return rows


def tables_everywhere(cluster, operation):
    """10 clients on each node at once."""
    def work():
        clients = [Background(cluster, node, f"bench {operation} 600 10") for node in NODES]
        return [json.loads(client.until(r"^\{")) for client in clients]
    rows = counted(cluster, work)
    total = {"op": operation, "on": "each node", "clients": 30, "count": sum(row["count"] for row in rows),
             "failed": sum(row["failed"] for row in rows), "p50_us": statistics.median(row["p50_us"] for row in rows),
             "p99_us": max(row["p99_us"] for row in rows), "per_s": sum(row["per_s"] for row in rows)}
    return total | {name: value for name, value in rows[0].items() if name.endswith("_each")}


def part_tables(options):
    """put, get and lock (acquire and release) by clients inside the guests; frames, bytes, writes, flushes, processor time: of
    all nodes and of the switch and the disk server between them. Before them a round trip between two nodes. Beside a peer,
    in machines with as much memory as its."""
    with Fleet("tables", nodes=3, **({"mem": PEER_MIB} if options.peer else {})) as cluster:
        wait_members(cluster)
        leader = leader_of(cluster)
        rows = json_lines(run(cluster, leader, f"bench icmp 500 1 {leader % 3 + 1}"))
        rows += tables_on(cluster, leader, "leader") + tables_on(cluster, leader % 3 + 1, "follower")
        return rows + [tables_everywhere(cluster, operation) for operation in ("put", "get", "lock")]


def part_remote(_):
    """The smallest answered call, and a program that does nothing started and awaited: here, and on another node."""
    rows = []
    with Fleet("remote", nodes=3) as cluster:
        wait_members(cluster)
        for operation in ("remote-null", "spawn"):
            for node in (1, 3):
                rows += counted(cluster, lambda: json_lines(run(cluster, 1, f"bench {operation} 300 1 {node}")))
                rows[-1]["where"] = "here" if node == 1 else "on another node"
    return rows


def part_net(options):
    """Round trips of 64 bytes between two nodes, and TCP bulk (best of the runs), all through lwIP and sockets."""
    with Fleet("net", nodes=3) as cluster:
        wait_members(cluster)
        Background(cluster, 2, "bench serve", limit=3600).until("serving")
        rows = [row for operation in ("icmp", "udp", "tcp")
                for row in json_lines(run(cluster, 1, f"bench {operation} 500 1 2"))]
        bulk = [json_lines(run(cluster, 1, f"bench tcp-bulk {BULK_MIB} 1 2"))[0] for _ in range(options.runs)]
        return rows + [max(bulk, key=lambda row: row["mbit_s"])]


class Timers:
    """Of leaders and elections, as HEARTBEAT/ELECTION in milliseconds."""

    def __init__(self, text):
        self.heartbeat_ms, self.election_ms = map(int, text.split("/"))

    def __str__(self):
        return f"{self.heartbeat_ms}/{self.election_ms}"

    def conf(self):
        return [(0, f"heartbeat_ms = {self.heartbeat_ms}"), (0, f"election_ms = {self.election_ms}")]


def cut_once(cluster, number, timers):
    """The longest time between two acknowledgements that a client on a follower saw while the leader's power was cut. The
    client is on one follower and on the other by turns."""
    wait_members(cluster)
    leader = leader_of(cluster)
    follower = (leader + number % 2) % 3 + 1
    client = Background(cluster, follower, f"bench gap {GAP_LIMIT_MS} {timers.election_ms // 2}")
    client.until("begun")
    cluster.kill(leader)
    row = json.loads(client.until(r"^\{"))
    cluster.restart(leader)
    if row["failed"]:
        raise RuntimeError(f"puts failed: {row}")
    return row["longest_us"] // 1000


def spread(times):
    times = sorted(times)
    return {"cuts": len(times), "median_ms": statistics.median(times), "p99_ms": times[(len(times) * 99 - 1) // 100],
            "min_ms": times[0], "max_ms": times[-1]}


def part_failover(options):
    """The leader's power is cut while a client on a follower puts without pause: its longest wait for an acknowledgement.
    Timers: heartbeat and least election timeout in milliseconds."""
    rows = []
    for timers in map(Timers, options.timers.split(",")):
        times = []
        with Fleet("failover", nodes=3, conf=timers.conf()) as cluster:
            for number in range(options.cuts):
                times.append(cut_once(cluster, number, timers))
                log(f"timers {timers}: cut {len(times)}: {times[-1]} ms")
        rows.append({"timers": str(timers), **spread(times)})
    return rows


def raft_term(cluster, node):
    return int(re.search(r"^term\s+(\d+)", run(cluster, node, "raft"), re.M)[1])


def part_steady(options):
    """Three members that do nothing while as many busy processes as the host has cores compete with them: elections meanwhile."""
    rows = []
    for timers in map(Timers, options.timers.split(",")):
        with Fleet("steady", nodes=3, conf=timers.conf()) as cluster:
            wait_members(cluster)
            before = raft_term(cluster, 1)
            busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count())]
            try:
                time.sleep(60 * options.minutes)
            finally:
                for process in busy:
                    process.kill()
                    process.wait()
            rows.append({"timers": str(timers), "minutes": options.minutes, "elections": raft_term(cluster, 1) - before,
                         "load": round(os.getloadavg()[0], 1)})
    return rows


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / CLK_TCK


def vcpu_sleeps(pid):
    """How often the threads of a machine went to sleep so far: each is a wake-up."""
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", open(f"/proc/{pid}/task/{task}/status").read(), re.M)[1])
               for task in os.listdir(f"/proc/{pid}/task"))


def memory_used_mib(text):
    """Of `status`: usable minus free."""
    used, unit = re.search(r"([\d.]+)([KMG]) of [\d.]+[KMG] memory used", text).groups()
    return float(used) * {"K": 1 / 1024, "M": 1, "G": 1024}[unit]


def part_idle(_):
    """Three members that do nothing for 60 s: user+system time of their QEMUs in percent of one host core, wake-ups of
    QEMU's threads a second, frames between the nodes a second; used memory (usable minus free)."""
    with Fleet("idle", nodes=3) as cluster:
        wait_members(cluster)
        pids = {row["node"]: row["pid"] for row in cluster.status()["nodes"]}
        before, frames = {node: (cpu_seconds([pid]), vcpu_sleeps(pid)) for node, pid in pids.items()}, traffic(cluster)
        begin = time.monotonic()
        time.sleep(IDLE_S)
        seconds = time.monotonic() - begin
        after = {node: (cpu_seconds([pid]), vcpu_sleeps(pid)) for node, pid in pids.items()}
        frames = (traffic(cluster)["frames"] - frames["frames"]) / seconds
        rows = [{"node": node, "percent_of_one_core": round(100 * (after[node][0] - before[node][0]) / seconds, 1),
                 "wakeups_per_s": round((after[node][1] - before[node][1]) / seconds),
                 "memory_mib": memory_used_mib(run(cluster, node, "status"))} for node in NODES]
        total = round(sum(after[node][0] - before[node][0] for node in NODES) * 100 / seconds, 1)
        return rows + [{"node": "all", "percent_of_one_core": total, "frames_per_s": round(frames, 1)}]


def count_instructions(command):
    """That it executes in all."""
    told = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command], check=True,
                          capture_output=True, text=True).stderr
    return int(re.search(r"Collected : (\d+)", told)[1])


def part_core(_):
    """What lib/raft costs per committed entry and node, in one process, without I/O: nanoseconds, and instructions where
    valgrind is installed."""
    program = BUILD / "bench/raft"
    rows = json_lines(subprocess.run([program], check=True, capture_output=True, text=True).stdout)
    for row in rows if shutil.which("valgrind") else []:
        counts = [count_instructions([program, *(str(row[key]) for key in ("nodes", "batch", "bytes")), str(entries)])
                  for entries in (CORE_ENTRIES, 2 * CORE_ENTRIES)]
        row["instructions_each"] = round((counts[1] - counts[0]) / CORE_ENTRIES / row["nodes"])
    return rows


def part_member(_):
    """lib/member simulated at 1,000 nodes in one process, a question every 250 ms: packets and bytes a node and second, how
    soon a failure is known to all, verdicts on living nodes at 5 % loss with a tenth stalled, joins, a healed partition. The
    second row has a question a second and the longer suspicions of others."""
    program, rows = str(BUILD / "sim/member"), []
    for only, *arguments in (("calm",), ("failure", "--crashes", "50"), ("stress",), ("join",), ("partition",),
                             ("failure", "--probe", "1000", "--patient"), ("stress", "--probe", "1000", "--patient")):
        done = subprocess.run([program, "--json", "--only", only, *arguments], capture_output=True, text=True, check=False)
        if done.returncode not in (0, 3, 4):
            raise RuntimeError(f"{program} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        rows.append({"what": only, **json_lines(done.stdout)[0]})
    return rows


def part_size(_):
    """Bytes of what boots: the kernel's file, the bundle with all programs, the loader."""
    return [{"file": name, "bytes": (BUILD / name).stat().st_size} for name in ("kernel.elf", "shoal.img", "BOOTX64.EFI")]


PARTS = {"kernel": part_kernel, "core": part_core, "member": part_member, "boot": part_boot, "tables": part_tables,
         "remote": part_remote, "net": part_net,
         "failover": part_failover, "steady": part_steady, "idle": part_idle, "size": part_size}

# ---- beside a peer ----

PEER_PHASES = {"boot": "boot", "tables": "disk", "remote": "cluster", "net": "cluster"}


# Operation, the peer's name of it, clients, where they are. The peer has no lock for clients on all nodes.
TABLES_PAIRS = ([(operation, operation, clients, "leader") for operation in ("put", "get", "lock") for clients in (1, 8, 32)] +
                [("lock-one", "lockc", 8, "leader")] + [(operation, operation, 1, "follower") for operation in ("put", "get", "lock")] +
                [(operation, operation, 30, "all") for operation in ("put", "get")])


def find(rows, **wanted):
    return next((row for row in rows if all(row.get(key) == value for key, value in wanted.items())), {})


def peer_pairs(name, rows, peer):
    """(what, ours, peer's) in one unit; rates come as their inverse, so that less is better everywhere."""
    if name == "boot":
        for door, kind in (("uefi", "ovmf"), ("pvh", "direct")):
            yield f"{door} to quorum, s", find(rows, door=door, to="quorum").get("median_s"), peer.get("boot", {}).get(
                kind, {}).get("cluster_quorum_wall_s")
    elif name == "tables":
        points = peer.get("load_disk", {}).get("points", [])
        for operation, theirs_name, clients, where in TABLES_PAIRS:
            ours = find(rows, op=operation, clients=clients, on="each node" if where == "all" else where)
            theirs = next((p for p in points if p["client_on"] == where and
                           re.match(rf"{theirs_name} grpc {clients}\b", p.get("what", ""))), {})
            what = f"{operation}, {clients} clients, {where}"
            yield f"{what}: p50 us", ours.get("p50_us"), theirs.get("p50_us")
            yield f"{what}: us of an operation", *(value and 1e6 / value for value in (ours.get("per_s"), theirs.get("rate")))
    elif name == "remote":
        yield "remote start of a program, p50 us", find(rows, op="spawn", where="on another node").get("p50_us"), peer.get(
            "remote", {}).get("dbclient_true", {}).get("p50_us")
    elif name == "net":
        for theirs in peer.get("net", []):
            operation = next((o for o in ("icmp", "udp", "tcp") if o in theirs["what"].lower() and "p50_us" in theirs), None)
            if operation:
                yield f"{operation} round trip, p50 us", find(rows, op=operation).get("p50_us"), theirs["p50_us"]
    elif name == "failover":
        for row in rows:
            yield f"timers {row['timers']}: without a leader, ms", row["median_ms"], find(peer, timers=row["timers"]).get("median_ms")


def peer_phase(script, phase):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "peer.json")
        subprocess.run([script, phase, "--out", out], check=True, timeout=3600, stdout=subprocess.DEVNULL)
        return json.load(open(out))


def peer_failover(script, options):
    """The peer's script has fixed timers, boots a cluster for each cut and keeps no disk; peer_failover.py does not."""
    rows = []
    for timers in map(Timers, options.timers.split(",")):
        made = subprocess.run([ROOT / "tools/peer_failover.py", script, str(options.cuts), str(timers)], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        rows.append({"timers": str(timers), **spread(json.loads(made))})
    table("failover of the peer", rows)
    return rows


def run_peer(script, name, rows, options):
    """Its figures, and rows with the ratio to ours."""
    peer = peer_failover(script, options) if name == "failover" else peer_phase(script, PEER_PHASES[name])
    ratios = [{"what": what, "ours": round(ours, 1), "peer": round(theirs, 1), "ratio": round(theirs / ours, 2)}
              for what, ours, theirs in peer_pairs(name, rows, peer) if ours and theirs]
    return peer, ratios


# ---- the whole ----

def table(title, rows):
    print(f"\n{title}")
    for row in rows:
        print("  " + "  ".join(f"{key} {value}" for key, value in row.items()))


def measure(name, options):
    part = {"what": " ".join(PARTS[name].__doc__.split()), "load_before": os.getloadavg()[0]}
    log(f"{name}: {part['what']}")
    part["rows"] = PARTS[name](options)
    part["load_after"] = os.getloadavg()[0]
    table(f"{name}: {part['what']} (load {part['load_before']:.1f} to {part['load_after']:.1f})", part["rows"])
    if options.peer and (name in PEER_PHASES or name == "failover"):
        part["peer"], part["ratios"] = run_peer(options.peer, name, part["rows"], options)
        table(f"{name}: beside the peer, ratio of the peer's figure to ours", part["ratios"])
    return part


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, with commas between: {', '.join(PARTS)}")
    parser.add_argument("--cuts", type=int, default=11, help="power cuts of the leader to measure")
    parser.add_argument("--timers", default="100/1000", help="heartbeat/election milliseconds to cut at, with commas between")
    parser.add_argument("--minutes", type=float, default=1, help="how long a busy host is watched for elections")
    parser.add_argument("--runs", type=int, default=3, help="boots by each door, and bulk transfers")
    parser.add_argument("--peer", help="the benchmark of another system, run after each part that it has a match for")
    parser.add_argument("--out", default=str(BUILD / "bench.json"))
    options = parser.parse_args()
    options.only = options.only.split(",")
    for name in options.only:
        if name not in PARTS:
            parser.error(f"{name}: no such part; there are {', '.join(PARTS)}")
    return options


def main():
    options = arguments()
    result, failed = {"machine": machine(), "parts": {}}, []
    print("machine: " + ", ".join(f"{key} {value}" for key, value in result["machine"].items()))
    for name in options.only:
        try:
            result["parts"][name] = measure(name, options)
        except (paths.ClusterError, RuntimeError, subprocess.SubprocessError) as error:
            log(f"{name} failed: {error}")
            failed.append(name)
    with open(options.out, "w") as stream:
        json.dump(result, stream, indent=1)
    print(f"\nkept in {os.path.relpath(options.out, ROOT)}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
