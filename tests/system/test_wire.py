"""What the wire can do to a cluster of three: old frames come again, frames come altered, and others fill it."""
import os
import re
import time

HANG_S = float(os.environ.get("HANG_S", "300"))  # limits only detect hangs
ALL = (1, 2, 3)
FLOOD_S = 22
FLOOD_PORT = 5000
FLOOD_FRAMES = 1000  # far more than heartbeats in that time: the flood has begun
FLOOD_BYTES_MIN = 1 << 20  # that each flooder must get through, or it was no flood


def run(cluster, node, command):
    return cluster.exec(node, command, limit=HANG_S)


def refused(cluster, node):
    """{why: how many frames} as `status` there shows it."""
    text = run(cluster, node, "status").text
    line = re.search(r"^links .*frames refused: (.*)$", text, re.M)
    assert line, text
    return {why: int(count) for count, why in re.findall(r"(\d+) ([a-z ]+)", line[1])}


def works(cluster, tag):
    """Keys and programs go between all of them."""
    for node in ALL:
        other = node % 3 + 1
        cluster.wait_until(lambda: run(cluster, node, f"put {tag}{node} {tag}").status == 0, f"node {node} writes", HANG_S)
        cluster.wait_until(lambda: run(cluster, other, f"get {tag}{node}").text.strip() == tag, f"node {other} reads", HANG_S)
        cluster.wait_until(lambda: run(cluster, node, f"on {other} echo {tag}").text == f"{tag}\n",
                           f"node {node} runs a program on node {other}", HANG_S)


def leadership(cluster, node):
    """(leader, term) as `raft` there shows it."""
    text = run(cluster, node, "raft").text
    leader, term = (re.search(rf"^{word}\s+(?:node )?(\d+)", text, re.M) for word in ("leader", "term"))
    assert leader and term, text
    return int(leader[1]), int(term[1])


def test_frames_that_come_again_are_refused_and_counted(joined):
    works(joined, "first")
    before = {node: refused(joined, node)["replayed"] for node in ALL}
    assert joined.replay(1, 2) > 0
    for node in (1, 2):
        joined.wait_until(lambda: refused(joined, node)["replayed"] > before[node], f"node {node} counts them", HANG_S)
    assert refused(joined, 3)["replayed"] == before[3]
    works(joined, "again")


def test_a_write_that_comes_again_is_not_done_again(joined):
    assert run(joined, 1, "put value old").status == 0
    assert run(joined, 1, "put value new").status == 0
    for a, b in ((1, 2), (1, 3), (2, 3)):
        assert joined.replay(a, b) > 0
    works(joined, "after")
    for node in ALL:
        assert run(joined, node, "get value").text == "new\n"


def test_altered_frames_are_refused_and_counted(joined):
    before = {node: refused(joined, node)["damaged"] for node in ALL}
    joined.alter(1, 2, 30)
    joined.alter(2, 3, 30, one_way=True)
    works(joined, "altered")
    for node in ALL[:2]:
        joined.wait_until(lambda: refused(joined, node)["damaged"] > before[node], f"node {node} counts them", HANG_S)
    joined.wait_until(lambda: refused(joined, 3)["damaged"] > before[3], "node 3 counts them", HANG_S)
    joined.heal()
    joined.wait_quorum(ALL, HANG_S)
    works(joined, "healed")


def passed(cluster, source, target):
    """How many frames the switch has carried from one to the other."""
    links = cluster.switch("links")["links"]
    return next((link["passed"] for link in links if (link["from"], link["to"]) == (source, target)), 0)


def receive(cluster, node):
    """Begins to receive at the node's console; where on it the receiver's words will be."""
    since = cluster.type(node, f"blast -l {FLOOD_PORT} &\r")
    cluster.expect(node, r"\[1\] blast[^$]*\$ ", since=since, limit=HANG_S)
    return since


def send(cluster, node, other):
    """Begins to send at the node's console: again when the other side did not listen yet."""
    before, since = passed(cluster, node, other), None

    def flows():
        nonlocal since
        if since is None or "refused" in cluster.console_text(node)[since:]:
            since = len(cluster.console_text(node))
            cluster.type(node, f"blast 10.0.0.{other} {FLOOD_PORT} 100000\r")
        return passed(cluster, node, other) > before + FLOOD_FRAMES
    cluster.wait_until(flows, f"node {node} floods node {other}", HANG_S)


def test_heartbeats_survive_a_flood(joined):
    leader, term = leadership(joined, 1)
    pair = (leader, leader % 3 + 1)
    since = {node: receive(joined, node) for node in pair}
    for node, other in (pair, pair[::-1]):
        send(joined, node, other)
    began, puts = time.monotonic(), 0
    while time.monotonic() - began < FLOOD_S:
        node = ALL[puts % 3]
        result = run(joined, node, f"put flood {puts}")
        assert result.status == 0, f"put {puts} on node {node}: {result.text}"
        assert [leadership(joined, n) for n in ALL] == [(leader, term)] * 3
        puts += 1
    for node in pair:
        joined.type(node, "\x03")
    for node in pair:
        said = joined.expect(node, r"received (\d+) bytes", since=since[node], limit=HANG_S)
        assert int(said["groups"][0]) > FLOOD_BYTES_MIN
    assert [leadership(joined, n) for n in ALL] == [(leader, term)] * 3
    assert run(joined, 1, "get flood").text == f"{puts - 1}\n"
