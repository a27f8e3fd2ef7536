"""What the wire, or who carries the frames, can do to a cluster of three: old frames come again, frames come altered, in
another order, not at all, or from strangers; and others fill it. Members go on, and it can be seen what was refused."""
import os
import re
import time

import strangers

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


def frames_that_come_again_are_refused_and_counted(joined):
    works(joined, "first")
    before = {node: refused(joined, node)["replayed"] for node in ALL}
    assert joined.replay(1, 2) > 0
    for node in (1, 2):
        joined.wait_until(lambda: refused(joined, node)["replayed"] > before[node], f"node {node} counts them", HANG_S)
    assert refused(joined, 3)["replayed"] == before[3]
    works(joined, "again")


def a_write_that_comes_again_is_not_done_again(joined):
    assert run(joined, 1, "put value old").status == 0
    assert run(joined, 1, "put value new").status == 0
    for a, b in ((1, 2), (1, 3), (2, 3)):
        assert joined.replay(a, b) > 0
    works(joined, "after")
    for node in ALL:
        assert run(joined, node, "get value").text == "new\n"


def altered_frames_are_refused_and_counted(joined):
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


def puts_go_on(cluster, key, count):
    """Each node in turn, and the last value is what all read; the same node leads in the same term."""
    led = [leadership(cluster, node) for node in ALL]
    for number in range(count):
        result = run(cluster, ALL[number % 3], f"put {key} {number}")
        assert result.status == 0, result
    assert [leadership(cluster, node) for node in ALL] == led
    for node in ALL:
        assert run(cluster, node, f"get {key}").text == f"{count - 1}\n"


def strangers_are_refused_counted_and_told(joined):
    """Each kind at all nodes, while all write."""
    name = joined.status()["name"]
    kinds = {"wrong key": (strangers.cluster_frame(name, strangers.HELLO, strangers.HELLO_BYTES), 5),
             "foreign": (strangers.cluster_frame("elsewhere", strangers.HELLO, strangers.HELLO_BYTES), 5),
             "damaged": (os.urandom(300), 5),
             "excess": (strangers.cluster_frame(name, strangers.HELLO + 1, strangers.HANDSHAKE_BYTES), 4000)}
    told = {"wrong key": "made with another key", "foreign": "of another cluster", "damaged": "damaged or altered",
            "excess": "too many hellos"}
    for kind, (frame, times) in kinds.items():
        before = {node: refused(joined, node)[kind] for node in ALL}
        strangers.send(joined, frame, times)
        puts_go_on(joined, "beside", 6)
        for node in ALL:
            def counted(node=node, kind=kind, frame=frame, times=times):
                if refused(joined, node)[kind] <= before[node]:
                    strangers.send(joined, frame, times)  # a busy machine may have lost most of a burst before it looked
                return refused(joined, node)[kind] > before[node]
            joined.wait_until(counted, f"node {node} counts {kind}", HANG_S)
            shown = run(joined, node, "nodes").text
            assert re.search(rf"^refused frames: .*\d+ {kind} \(last from 10\.0\.0\.", shown, re.M), shown
    for node in ALL:
        for words in told.values():
            joined.wait_until(lambda: re.search(rf"frames were refused: \d+ {words}, the last from 10\.0\.0\.\d+",
                                                run(joined, node, "log").text), f"node {node} tells {words}", HANG_S)
        assert re.search(rf"\d+ wrong key \(last from {re.escape(strangers.ADDRESS)}\)", run(joined, node, "nodes").text)


def who_carries_frames_can_only_lose_and_delay_them(joined):
    """All that a network server could do to what it carries, at once: nothing wrong is believed, nothing right is lost."""
    joined.alter(None, None, 10)
    joined.double(None, None, 30)
    joined.reorder(None, None, 40)
    joined.drop(None, None, 5)
    for number in range(12):
        node = ALL[number % 3]
        joined.wait_until(lambda: run(joined, node, f"put mangled{number} {number}").status == 0, f"node {node} writes", HANG_S)
        if number % 4 == 3:
            joined.replay(None, None)
    joined.heal()
    joined.wait_quorum(ALL, HANG_S)
    works(joined, "mended")
    for number in range(12):
        assert run(joined, ALL[(number + 1) % 3], f"get mangled{number}").text == f"{number}\n"


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


def heartbeats_survive_a_flood(joined):
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


def test_what_the_wire_can_do(joined):
    for case in (strangers_are_refused_counted_and_told, frames_that_come_again_are_refused_and_counted,
                 a_write_that_comes_again_is_not_done_again, altered_frames_are_refused_and_counted,
                 who_carries_frames_can_only_lose_and_delay_them, heartbeats_survive_a_flood):
        case(joined)
