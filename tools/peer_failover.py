#!/usr/bin/python3
"""Power cuts of the leader of a peer's cluster (Linux and etcd), measured as tools/bench.py measures ours.

    peer_failover.py SCRIPT CUTS HEARTBEAT/ELECTION

SCRIPT builds and boots that cluster in QEMU. Here its nodes keep their data on a disk of their own, flushed, and one cluster
lives through all cuts: the leader's power is cut while a client on another node puts, and it is started again with its disk.
Prints the longest times in milliseconds between two acknowledgements, as JSON.
"""
import importlib.util
import json
import sys
import time

PROBE_S = 100
BOOTS, BOOT_S = 5, 90
PACE_MS = 20  # between two puts; each waits for its answer on a connection of its own


def load_peer(script, timers):
    heartbeat_ms, election_ms = timers.split("/")
    sys.argv = [script, "failover", "--quiet", "0"]
    spec = importlib.util.spec_from_file_location("peer", script)
    peer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peer)
    replace(peer, "RC", "--heartbeat-interval 100 --election-timeout 1000",
            f"--heartbeat-interval {heartbeat_ms} --election-timeout {election_ms}")
    replace(peer, "BENCH_C", "t - last > 300000000ull", f"t - last > {int(election_ms) * 750000}ull")
    return peer


def replace(peer, name, old, new):
    text = getattr(peer, name)
    if text.count(old) != 1:
        sys.exit(f"peer_failover: {name} of the peer's script has not once: {old}")
    setattr(peer, name, text.replace(old, new))


def wait_whole(peer, nodes):
    """All three take part again."""
    addresses = " ".join(peer.IP(node.n) for node in nodes)
    nodes[0].run(f"bench waitquorum {addresses}", 300)


def ask_leader(peer, nodes, asked):
    """The leader among `nodes` and its term, asked on a node whose shell nothing else writes to. (None, 0): nobody leads."""
    addresses = " ".join(peer.IP(node.n) for node in nodes)
    for row in asked.runj(f"bench leader {addresses}"):
        if row.get("leader"):
            return next(node for node in nodes if peer.IP(node.n) == row["leader"]), row["term"]
    return None, 0


def begin_puts(peer, nodes, number):
    """The leader, its term, the node where puts flow and the third. Leadership may move while the puts begin."""
    while True:
        leader, _ = peer.leader(nodes)
        others = [node for node in nodes if node is not leader]
        client, third = others[number % 2], others[1 - number % 2]
        client.run(f"bench probe 127.0.0.1 {PROBE_S} {PACE_MS} &")
        time.sleep(1)
        now, term = ask_leader(peer, nodes, third)
        if now is leader:
            return leader, term, client, third
        client.run("kill $(pidof bench)")


def start_again(peer, number, image, disk):
    """A Linux that found no timer, as happens on a busy host, is switched off and on."""
    for _ in range(BOOTS):
        node = peer.Node(number, image, disk=disk)
        try:
            node.mark("control-shell", BOOT_S)
            return node
        except TimeoutError:
            node.kill()
    raise RuntimeError(f"node {number} did not boot {BOOTS} times")


def cut_once(peer, image, nodes, number):
    """None: the cluster had another leader when the power was cut, and puts went on."""
    leader, term, client, third = begin_puts(peer, nodes, number)
    with client.cv:
        client.q.clear()
    disk = f"{peer.RUN}/data{leader.n}.img"
    leader.kill()
    line = client.line(PROBE_S)
    if line is None:
        raise RuntimeError("no put succeeded after the cut")
    gap_ms = json.loads(line[1]).get("gap_ms")
    nodes[leader.n - 1] = start_again(peer, leader.n, image, disk)
    client.run("kill $(pidof bench)")
    _, later = ask_leader(peer, [client, third], third)
    wait_whole(peer, nodes)
    return gap_ms if later > term else None


def main():
    script, cuts, timers = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    peer = load_peer(script, timers)
    image = peer.build()
    nodes = peer.cluster(image, disks=True)
    times = []
    try:
        while len(times) < cuts:
            gap_ms = cut_once(peer, image, nodes, len(times))
            if gap_ms is None:
                continue
            times.append(gap_ms)
            print(f"peer: timers {timers}: cut {len(times)}: {times[-1]} ms", file=sys.stderr, flush=True)
    finally:
        peer.stop_all()
    print(json.dumps(times))


if __name__ == "__main__":
    main()
