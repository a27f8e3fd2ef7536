#!/usr/bin/python3
"""make bench: the figures of Shoal, as a table and as JSON in build/bench.json.

    bench.py [--only PART,...] [--cuts N] [--out FILE]      parts: kernel boot tables remote net failover idle size

Counts of instructions come from `-icount shift=0,sleep=off` and repeat exactly; times are of this machine at this moment, so
only ratios to a peer measured beside them mean anything (the machine's load is kept with each part).
"""
import argparse
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from shoalcluster import paths  # noqa: E402
from shoalcluster.client import Cluster  # noqa: E402

BUILD = ROOT / "build"
CLK_TCK = os.sysconf("SC_CLK_TCK")


def log(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def machine():
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    qemu = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    return {"cpu": cpu, "cores": os.cpu_count(), "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
            "kernel": platform.release(), "qemu": qemu}


class Fleet:
    """A cluster for the time of one part."""

    def __init__(self, name, **settings):
        self.name, self.settings = name, settings

    def __enter__(self):
        self.begin = time.monotonic()
        self.cluster = Cluster.up(name=f"bench-{self.name}-{os.getpid()}", attached=True, **self.settings)
        return self.cluster

    def __exit__(self, *_):
        self.cluster.down()


def run(cluster, node, command, limit=600):
    result = cluster.exec(node, command, limit=limit)
    if result.status != 0:
        raise RuntimeError(f"node {node}: `{command}` ended with {result.status}: {result.text.strip()[-300:]}")
    return result.text


def json_lines(text):
    """Lines that are JSON, also behind the time that the kernel log puts before each."""
    return [json.loads(line[line.index('{"'):]) for line in text.splitlines() if '{"' in line]


def wait_member(cluster, node, limit=300):
    """The node has applied what the leader has, so the tables answer."""
    cluster.wait_until(lambda: "member" in cluster.exec(node, "status").text.lower(), f"node {node} a member", limit)


# ---- parts ----

def part_kernel():
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


def boot_once(door, nodes):
    begin = time.monotonic()
    with Fleet(f"boot-{door}", boot=door, nodes=nodes) as cluster:
        cluster.wait_shell(1)
        shell = time.monotonic() - begin
        wait_member(cluster, 1)
        return {"door": door, "nodes": nodes, "shell_s": round(shell, 2), "quorum_s": round(time.monotonic() - begin, 2)}


def part_boot():
    """Power-on to shell and to quorum, by each door."""
    return [boot_once(door, 3) for door in ("pvh", "uefi", "pxe")]


def leader_of(cluster, asked=1):
    found = re.search(r"leader\D*(\d+)", cluster.exec(asked, "raft").text, re.I)
    return int(found.group(1)) if found else None


def part_tables():
    """put, get and lock+unlock with 1, 8 and 32 clients inside a guest; on the leader."""
    rows = []
    with Fleet("tables", nodes=3) as cluster:
        for node in (1, 2, 3):
            wait_member(cluster, node)
        leader = leader_of(cluster) or 1
        for operation in ("put", "get", "lock", "lock-one"):
            for clients in (1, 8, 32):
                count = 200 if clients == 1 else 100 * clients
                rows += json_lines(run(cluster, leader, f"bench {operation} {count} {clients}"))
                log(rows[-1])
    return rows


def part_remote():
    """The smallest answered call, and a process started and awaited, on another node."""
    with Fleet("remote", nodes=3) as cluster:
        for node in (1, 3):
            wait_member(cluster, node)
        return [json_lines(run(cluster, 1, f"bench {operation} 200 1 {node}"))[0] | {"node": node}
                for operation in ("remote-null", "spawn") for node in (1, 3)]


def part_net():
    """TCP between two nodes, and the round trip of ICMP."""
    rows = []
    with Fleet("net", nodes=2) as cluster:
        for node in (1, 2):
            wait_member(cluster, node)
        address = re.search(r"\d+\.\d+\.\d+\.\d+", run(cluster, 2, "ifconfig")).group(0)
        rows.append({"op": "ping", "text": run(cluster, 1, f"ping {address}").strip().splitlines()[-1]})
    return rows


def part_failover(cuts):
    """The leader's power is cut; time until a put on another node is acknowledged again."""
    times = []
    with Fleet("failover", nodes=3) as cluster:
        for _ in range(cuts):
            for node in (1, 2, 3):
                cluster.wait_shell(node)
                wait_member(cluster, node)
            leader = leader_of(cluster)
            asked = next(node for node in (1, 2, 3) if node != leader)
            run(cluster, asked, "put bench/failover before")
            begin = time.monotonic()
            cluster.kill(leader)
            cluster.wait_until(lambda: cluster.exec(asked, "put bench/failover after", limit=60).status == 0,
                               "a put after the leader's end", 120, pause_s=0.02)
            times.append(round(1000 * (time.monotonic() - begin)))
            log(f"leader {leader} cut: {times[-1]} ms")
            cluster.restart(leader)
    times.sort()
    return [{"cuts": cuts, "median_ms": times[len(times) // 2], "min_ms": times[0], "max_ms": times[-1]}]


def qemu_cpu_seconds(pids):
    total = 0
    for pid in pids:
        fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / CLK_TCK


def part_idle():
    """Three idle nodes: processor time of their QEMUs over 60 s, and the memory each uses."""
    with Fleet("idle", nodes=3) as cluster:
        for node in (1, 2, 3):
            wait_member(cluster, node)
        pids = [row["pid"] for row in cluster.status()["nodes"]]
        before, begin = qemu_cpu_seconds(pids), time.monotonic()
        time.sleep(60)
        seconds = time.monotonic() - begin
        share = 100 * (qemu_cpu_seconds(pids) - before) / seconds
        memory = []
        for node in (1, 2, 3):
            found = re.search(r"([\d.]+)\s*MiB used", run(cluster, node, "top -1"))
            memory.append(float(found.group(1)) if found else None)
        return [{"seconds": round(seconds, 1), "percent_of_one_core": round(share, 1), "memory_mib": memory}]


def part_size():
    """Bytes of what boots."""
    names = ("kernel.elf", "shoal.img", "BOOTX64.EFI", "disk.img")
    return [{"file": name, "bytes": (BUILD / name).stat().st_size} for name in names if (BUILD / name).exists()]


PARTS = {"kernel": part_kernel, "boot": part_boot, "tables": part_tables, "remote": part_remote, "net": part_net,
         "failover": part_failover, "idle": part_idle, "size": part_size}


def table(name, rows):
    print(f"\n{name}: {PARTS[name].__doc__.strip()}")
    for row in rows:
        print("  " + "  ".join(f"{key} {value}" for key, value in row.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    parser.add_argument("--cuts", type=int, default=11, help="power cuts of the leader to measure")
    parser.add_argument("--out", default=str(BUILD / "bench.json"))
    options = parser.parse_args()
    wanted = options.only.split(",")
    for name in wanted:
        if name not in PARTS:
            parser.error(f"{name}: no such part; there are {', '.join(PARTS)}")
    result, failed = {"machine": machine(), "parts": {}}, []
    print("machine: " + ", ".join(f"{key} {value}" for key, value in result["machine"].items()))
    for name in wanted:
        log(f"{name}: {PARTS[name].__doc__.strip()}")
        load = os.getloadavg()[0]
        try:
            rows = PARTS[name](options.cuts) if name == "failover" else PARTS[name]()
        except (paths.ClusterError, RuntimeError, subprocess.TimeoutExpired) as error:
            log(f"{name} failed: {error}")
            failed.append(name)
            continue
        result["parts"][name] = {"load_before": load, "rows": rows}
        table(name, rows)
    with open(options.out, "w") as stream:
        json.dump(result, stream, indent=1)
    print(f"\nkept in {os.path.relpath(options.out, ROOT)}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
