"""raftd-host: three processes come to a leader, a commit and another membership; figure 8 of the paper; the algebra of
quorums and configurations against a small model; and no line, however malformed, ends it."""
import itertools
import json
import random

import pytest
import raftd


@pytest.fixture
def three():
    network = raftd.Network(3)
    yield network
    network.close()


@pytest.fixture
def process():
    one = raftd.Process()
    yield one
    one.close()


def roles(network):
    return {n: node.status()["role"] for n, node in network.nodes.items()}


# ---- a cluster ----

def test_time_brings_a_leader_and_a_commit(three):
    three.nodes[2].ask("timeout-set", ticks=1)
    three.tick(1)
    assert roles(three) == {1: "StateFollower", 2: "StateLeader", 3: "StateFollower"}
    assert {node.status()["lead"] for node in three.nodes.values()} == {2}
    place = three.nodes[2].ask("propose", data="hello \x00\xff")
    assert place["term"] == three.nodes[2].status()["term"]
    three.deliver(three.nodes[2].work())
    three.tick(2)
    assert all(node.applied == ["hello \x00\xff"] for node in three.nodes.values())
    assert all(node.ask("log")["last"] == place["index"] for node in three.nodes.values())
    assert three.nodes[2].status()["progress"]["3"]["match"] == place["index"]
    with pytest.raises(raftd.Refused):
        three.nodes[1].ask("propose", data="x")


def test_membership_and_reads(three):
    three.elect(1)
    three.nodes[4] = raftd.Node(4)
    three.nodes[1].ask("conf", changes="l4")
    three.deliver(three.nodes[1].work())
    three.tick(5)
    assert three.nodes[4].status()["conf"] == "voters=(1 2 3) learners=(4)"
    three.nodes[1].ask("conf", changes="v4 r2", mode="joint")
    three.deliver(three.nodes[1].work())
    three.tick(3)
    assert {three.nodes[n].status()["conf"] for n in (1, 3, 4)} == {"voters=(1 3 4)"}
    with pytest.raises(raftd.Refused, match="no voter would be left"):
        three.nodes[1].ask("conf", changes="r1 r3 r4", mode="joint")
    three.nodes[1].ask("read", token=77)
    states = []
    messages = []
    for _ in range(4):
        ready = three.nodes[1].ask("ready")
        states += ready["readstates"]
        messages += ready["messages"]
        for m in messages:
            if m["to"] in three.nodes:
                three.nodes[m["to"]].ask("step", **m)
                for reply in three.nodes[m["to"]].work():
                    three.nodes[1].ask("step", **reply)
        messages = []
    assert [(s["token"], s["failed"]) for s in states] == [(77, False)]
    three.nodes[1].ask("transfer", to=3)
    three.deliver(three.nodes[1].work())
    assert three.nodes[3].status()["role"] == "StateLeader"


def test_snapshot_for_who_is_behind(three):
    three.elect(1)
    for n in range(5):
        three.nodes[1].ask("propose", data=f"entry {n}")
        three.deliver(three.nodes[1].work(), {1, 2})
    three.nodes[1].ask("compact", data="the state")
    three.nodes[1].ask("unreachable", to=3)
    three.tick(5)
    assert three.nodes[3].applied == ["the state"]
    assert three.nodes[3].status()["commit"] == three.nodes[1].status()["commit"]


def test_asynchronous_writes_hold_back_what_depends_on_them(process):
    process.ask("new", id=1, voters=[1, 2, 3], **{"async": True})
    process.ask("campaign")
    asked = process.ask("ready")["messages"]
    assert {m["type"] for m in asked} == {"MsgPreVote"}
    reply = {**asked[0], "type": "MsgPreVoteResp", "from": asked[0]["to"], "to": 1, "reject": False}
    process.ask("step", **reply)
    first = process.ask("ready")
    assert first["hardstate"]["vote"] == 1 and first["messages"] == []
    process.ask("persisted", id=first["persist"])
    assert {m["type"] for m in process.ask("ready")["messages"]} == {"MsgVote"}
    with pytest.raises(raftd.Refused, match="no such write"):
        process.ask("persisted", id=first["persist"])


def test_synchronous_node_wants_its_writes_done(process):
    process.ask("new", id=1, voters=[1])
    process.ask("campaign")
    process.ask("ready")
    with pytest.raises(raftd.Refused, match="not persisted"):
        process.ask("ready")


def test_restart_keeps_vote_and_log(three):
    three.elect(1)
    three.nodes[1].ask("propose", data="kept")
    three.deliver(three.nodes[1].work())
    before = three.nodes[2].status()
    three.nodes[2].restart()
    after = three.nodes[2].status()
    assert (after["term"], after["vote"], after["last"]) == (before["term"], before["vote"], before["last"])


def test_figure_8():
    """An entry of an older term on a majority is not committed by that; it may still be replaced."""
    network = raftd.Network(3, message_bytes=1)
    one, two, three = (network.nodes[n] for n in (1, 2, 3))
    network.elect(1)
    one.ask("propose", data="of an old term")
    one.work()                                    # on node 1 alone
    network.elect(2, {2, 3}, lambda m: m["type"] != "MsgApp")
    two.ask("propose", data="of the next term")
    two.work()                                    # on node 2 alone
    two.restart()
    old = one.status()["last"]

    def only_up_to_old(m):                        # what comes after it is lost on the way
        return m["type"] != "MsgApp" or m["index"] + len(m["entries"]) <= old or three.ask("log")["last"] < old

    one.ask("tick", count=30)                     # hears nobody: it steps down
    network.deliver(one.work(), {1}, lambda m: False)
    network.elect(1, {1, 3}, only_up_to_old)
    assert three.ask("log")["last"] == old        # a majority has it, durable
    assert one.status()["commit"] < old
    network.elect(2, {2, 3})                      # and node 2 may still lead, with its own
    network.deliver(two.work(), {2, 3})
    network.tick(2, {2, 3})
    assert "of the next term" in three.applied and "of an old term" not in three.applied
    network.close()


# ---- the algebra ----

def conf_text(incoming, outgoing=()):
    def form(ids):
        return "(" + " ".join(map(str, sorted(ids))) + ")"
    return "voters=" + form(incoming) + ("&&" + form(outgoing) if outgoing else "")


def test_quorum_calls_against_a_model(process):
    rng = random.Random(8)
    for _ in range(400):
        halves = [set(rng.sample(range(1, 9), rng.randint(1, 7))) for _ in range(2)]
        if rng.random() < 0.3:
            halves.pop()
        conf = conf_text(*halves)
        members = set().union(*halves)
        acked = {str(n): rng.randint(0, 9) for n in members if rng.random() < 0.8}
        expected = max(i for i in range(10)
                       if all(2 * sum(acked.get(str(n), 0) >= i for n in half) > len(half) for half in halves))
        assert process.ask("quorum-commit", conf=conf, acked=acked)["commit"] == expected, (conf, acked)
        votes = {str(n): rng.choice([True, False, None]) for n in members}

        def won(missing):
            return all(2 * sum((missing if votes[str(n)] is None else votes[str(n)]) for n in half) > len(half)
                       for half in halves)
        result = "VoteWon" if won(False) else "VotePending" if won(True) else "VoteLost"
        assert process.ask("quorum-vote", conf=conf, votes=votes)["result"] == result, (conf, votes)


def test_nobody_votes(process):
    assert process.ask("quorum-commit", conf="")["commit"] == "infinite"
    assert process.ask("quorum-vote", conf="")["result"] == "VoteWon"


class Model:
    """Voters, the outgoing half, learners, and who becomes one."""

    def __init__(self):
        self.voters, self.old, self.learners, self.next = set(), set(), set(), set()

    def text(self):
        text = conf_text(self.voters, self.old)
        for name, ids in (("learners", self.learners), ("learners_next", self.next)):
            if ids:
                text += f" {name}=({' '.join(map(str, sorted(ids)))})"
        return text

    def change(self, letter, n):
        self.voters.discard(n)
        self.learners.discard(n)
        self.next.discard(n)
        if letter == "v":
            self.voters.add(n)
        elif letter == "l":
            (self.next if n in self.old else self.learners).add(n)

    def after(self, call, changes):
        """The next configuration's text, or None where it is forbidden."""
        new = Model()
        new.voters, new.old, new.learners, new.next = (set(s) for s in (self.voters, self.old, self.learners, self.next))
        if (call == "conf-leave") != bool(self.old):
            return None, self
        if call == "conf-leave":
            new.old = set()
            new.learners |= new.next
            new.next = set()
            return new.text(), new
        if call == "conf-enter":
            new.old = set(self.voters)
        for letter, n in changes:
            new.change(letter, n)
        if not new.voters or (call == "conf-simple" and len(new.voters ^ self.voters) > 1):
            return None, self
        return new.text(), new


def test_configurations_against_a_model(process):
    rng = random.Random(4)
    for _ in range(60):
        model = Model()
        text, model = model.after("conf-simple", [("v", 1)])
        assert process.ask("conf-simple", conf="", changes="v1")["conf"] == text
        for _ in range(15):
            call = rng.choice(["conf-simple", "conf-simple", "conf-enter", "conf-leave"])
            changes = [] if call == "conf-leave" else [(rng.choice("vlr"), rng.randint(1, 5))
                                                       for _ in range(rng.randint(1, 3))]
            arguments = {"conf": model.text()}
            if changes:
                arguments["changes"] = " ".join(f"{letter}{n}" for letter, n in changes)
            before = model.text()
            text, model = model.after(call, changes)
            answer = process.raw(f"{call} {json.dumps(arguments)}")
            assert (answer.get("conf") if answer["ok"] else None) == text, (before, call, changes, answer)


def test_answers_of_the_algebra(process):
    answer = process.ask("conf-enter", conf="voters=(1 2 3) learners=(4)", changes="v4 l2 r3", autoleave=True, last=7)
    assert answer["conf"] == "voters=(1 4)&&(1 2 3) learners_next=(2) autoleave"
    assert answer["tracker"] == [f"{n}: StateProbe match=0 next=8" for n in (1, 2, 3, 4)]
    assert process.ask("conf-leave", conf=answer["conf"])["conf"] == "voters=(1 4) learners=(2)"
    for call, arguments, words in (
            ("conf-simple", {"conf": "voters=(1)", "changes": "v2 v3"}, "more than one voter"),
            ("conf-simple", {"conf": "voters=(1)&&(1 2)", "changes": "v3"}, "joint already"),
            ("conf-enter", {"conf": "voters=(1)&&(1 2)", "changes": "v3"}, "joint already"),
            ("conf-leave", {"conf": "voters=(1)"}, "not joint"),
            ("conf-simple", {"conf": "voters=(1)", "changes": "r1"}, "no voter"),
            ("conf-simple", {"conf": "voters=(1", "changes": "r1"}, "reads"),
            ("conf-simple", {"conf": "voters=(1)", "changes": "x1"}, "a change reads")):
        with pytest.raises(raftd.Refused, match=words):
            process.ask(call, **arguments)


# ---- hostile lines ----

BAD = [b"nonsense", b"tick {", b"tick [1]", b'tick {"count":-1}', b'tick {"count":1.5}', b'tick {"count":99999999999999999999}',
       b'propose {"data":7}', b'propose {"data":"\\u0100"}', b"step {}", b'step {"type":"MsgApp","from":2}',
       b'step {"type":"MsgApp","from":2,"to":1,"term":1,"index":5,"logterm":1,"entries":[{"index":9,"term":1}]}',
       b'step {"type":"MsgApp","from":2,"to":1,"term":18446744073709551615}', b'step {"type":"MsgSnap","from":2,"to":1}',
       b'step {"type":"MsgSnap","from":2,"to":1,"term":3,"snapshot":{"index":9,"term":1,"bytes":1,"conf":"x"},"chunk":""}',
       b'new {"id":0}', b'new {"id":1,"voters":[1,1]}', b'new {"id":1,"election":1}', b"persisted", b"applied",
       b'applied {"index":9}', b'compact {"index":99}', b'transfer {"to":1}', b'timeout-set {"ticks":0}',
       b'conf {"changes":"v2","mode":"sideways"}', b"\xff\xfe{", b"tick " + b"[" * 1000, b'tick "\x00"', b" ", b"{}",
       b'unreachable {"to":"1.0"}', b'quorum-commit {"conf":"voters=(1 1 1 1"}', b'read {"token":"x"}']


@pytest.mark.parametrize("line", BAD, ids=range(len(BAD)))
def test_malformed_lines_are_told(process, line):
    process.ask("new", id=1, voters=[1, 2, 3])
    answer = process.raw(line)
    assert answer["ok"] is False and answer["error"]


def test_endless_line(process):
    assert process.raw(b"tick " + b"x" * (3 << 20)) == {"ok": False, "error": "the line is too long"}
    assert process.raw("tick")["ok"] is False


def test_random_lines_never_end_it(process):
    """Lines that were right, with bytes changed: each gets an answer, and the node behind stands."""
    rng = random.Random(99)
    process.ask("new", id=1, voters=[1, 2, 3])
    sound = [b'step {"type":"MsgApp","from":2,"to":1,"term":3,"logterm":1,"index":1,"commit":3,"entries":'
             b'[{"index":2,"term":2,"data":"a"},{"index":3,"term":3,"type":"EntryConfChange","data":"bc"}]}',
             b'step {"type":"MsgVote","from":3,"to":1,"term":4,"logterm":3,"index":9}', b'tick {"count":3}', b"campaign",
             b'step {"type":"MsgHeartbeat","from":2,"to":1,"term":4,"commit":2,"context":3}', b"ready", b"persisted",
             b"applied", b'compact {"index":1}', b'conf {"changes":"v4"}', b"log", b"status", b'read {"token":4}',
             b'step {"type":"MsgSnap","from":2,"to":1,"term":5,"snapshot":{"index":9,"term":4,"bytes":2,'
             b'"conf":"voters=(1 2)"},"offset":0,"chunk":"ab"}', b'transfer {"to":2}', b"forget-leader"]
    for _ in range(4000):
        line = bytearray(rng.choice(sound))
        for _ in range(rng.choice((0, 0, 1, 1, 4))):
            line[rng.randrange(len(line))] = rng.choice(b'0123456789"{}[],: abM\\\x00\xff')
        process.raw(bytes(line).replace(b"\n", b" "))
    assert process.raw("status")["ok"]


def test_every_pair_of_quorums_meets(process):
    """Any votes that win in one configuration and in the next share a voter."""
    before = "voters=(1 2 3)"
    for changes in ("v4", "r3", "l2"):
        after = process.ask("conf-simple", conf=before, changes=changes)["conf"]
        for a, b in itertools.product(range(16), repeat=2):
            votes = [{str(n + 1): bool(mask >> n & 1) for n in range(4)} for mask in (a, b)]
            if a & b == 0:
                results = [process.ask("quorum-vote", conf=conf, votes=vote)["result"]
                           for conf, vote in zip((before, after), votes)]
                assert results != ["VoteWon", "VoteWon"], (a, b)
