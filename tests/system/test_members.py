"""Who votes: five machines, from growing by themselves to what a person changes, all from the shell."""
import os
import re

from shoalcluster.paths import ClusterError

HANG_S = float(os.environ.get("HANG_S", "300"))  # limits only detect hangs
ALL = (1, 2, 3, 4, 5)
ROW = re.compile(r"^\s*(\d+)\*?\s+\S+\s+(up|not heard|removed)\s+(leader|voter|learner)\s.* ago +\d+% +\d+ +\S+  (.*)$", re.M)


class Five:
    """The first voters' numbers are those of their machines; the fourth and fifth get theirs as they come."""

    def __init__(self, cluster):
        self.cluster = cluster
        for node in ALL:
            cluster.wait_shell(node, HANG_S)
        cluster.wait_quorum(ALL, HANG_S)

    def run(self, node, command):
        return self.cluster.exec(node, command, limit=HANG_S)

    def done(self, node, command):
        result = self.run(node, command)
        assert result.status == 0, f"{command}: {result.text}"
        return result.text

    def refused(self, node, command):
        result = self.run(node, command)
        assert result.status != 0, f"{command}: {result.text}"
        return result.text

    def until(self, what, condition):
        return self.cluster.wait_until(condition, what, HANG_S)

    def rows(self, node):
        """{number: (state, role, note)} as `nodes` there shows it."""
        return {int(n): (state, role, note.strip()) for n, state, role, note in ROW.findall(self.done(node, "nodes"))}

    def leader(self, node):
        return self.until("there is a leader", lambda: next(
            (n for n, row in self.rows(node).items() if row[1] == "leader"), 0))

    def until_voters(self, node, voters):
        self.until(f"node {node} shows that {sorted(voters)} vote", lambda: {
            n for n, row in self.rows(node).items() if row[1] != "learner"} == set(voters))

    def write(self, node, key):
        self.until(f"node {node} can write", lambda: self.run(node, f"put {key} {node}").status == 0)

    def back(self, node, **how):
        self.cluster.restart(node, **how)
        self.cluster.wait_shell(node, HANG_S)


def grows(five):
    """The first configuration has three voters; the other two prove themselves, and the leader says so."""
    five.until("the leader says what comes", lambda: re.search(
        r"^voters: .*(become voters in \d+ s|waiting for node|5, 5 heard)", five.done(1, "nodes"), re.M))
    five.until_voters(1, ALL)
    for node in ALL:
        five.until(f"node {node} says that nothing is left to do", lambda: re.search(
            r"^voters +5, 5 heard, 3 needed; nothing to change$", five.done(node, "raft"), re.M))
    assert len(re.findall(r"^  node \d  log [0-9a-f]{16}  voter, durable", five.done(1, "raft"), re.M)) == 5


def blank_disk_is_replaced(five):
    five.back(3, blank_disk=True)
    five.cluster.wait_quorum([3], HANG_S)
    five.until("node 3 has its vote back", lambda: re.search(r"^  node 3 .* voter, durable", five.done(3, "raft"), re.M))
    five.until("node 1 has nothing to say of it", lambda: not five.rows(1)[3][2])
    five.until("no lost log is left", lambda: "lost" not in five.done(1, "raft"))


def transfer(five):
    target = 2 if five.leader(1) != 2 else 3
    assert "leads" in five.done(4, f"raft transfer {target}")
    five.until("node 1 shows it", lambda: five.leader(1) == target)


def drain_of_the_leader(five):
    leader = five.leader(1)
    asks = 1 if leader != 1 else 2
    assert "it keeps its vote" in five.done(asks, f"nodes drain {leader}")  # all five vote: none can take it
    five.until("another leads", lambda: five.rows(asks)[leader] == ("up", "voter", "drained"))
    assert "drained" in five.refused(asks, f"raft transfer {leader}")
    five.done(asks, f"nodes undrain {leader}")
    five.until("it is as before", lambda: five.rows(asks)[leader] == ("up", "voter", ""))


def remove_and_add(five):
    assert "is removed" in five.done(1, "nodes remove 2")
    five.until_voters(1, (1, 3, 4, 5))
    assert five.rows(1)[2][0] == "removed"
    five.until("node 2 says so", lambda: re.search(r"^waiting .*removed from the cluster", five.done(2, "status"), re.M))
    five.back(2)  # also after a restart
    five.until("node 2 says so again", lambda: re.search(r"^waiting .*removed from the cluster", five.done(2, "status"),
                                                         re.M))
    five.write(3, "without2")
    assert five.run(2, "get without2").status != 0
    assert "such" in five.refused(1, "nodes promote 9")
    assert "removed" in five.refused(1, "nodes promote 2")
    assert "takes part" in five.done(1, "nodes add 2")
    five.cluster.wait_quorum([2], HANG_S)
    assert five.until("node 2 reads", lambda: five.run(2, "get without2").text) == "3\n"
    five.until_voters(1, ALL)


def quorum_is_not_given_away(five):
    for node in (4, 5):
        five.cluster.kill(node)
    five.until("they are missed", lambda: [five.rows(1)[n][0] for n in (4, 5)] == ["not heard"] * 2)
    assert "would leave no quorum: 2 of 5" in five.refused(1, "nodes drain 3")
    five.write(1, "still")
    for node in (4, 5):
        five.back(node)
    five.cluster.wait_quorum(ALL, HANG_S)


def test_who_votes(start, logs):
    five = Five(start(nodes=5))
    try:
        for step in (grows, blank_disk_is_replaced, transfer, drain_of_the_leader, remove_and_add,
                     quorum_is_not_given_away):
            print(step.__name__, flush=True)
            step(five)
    except BaseException:
        with open(logs / "words", "w") as stream:
            for node in ALL:
                for command in ("nodes", "raft", "status", "log"):
                    try:
                        stream.write(f"node {node}$ {command}\n{five.cluster.exec(node, command, limit=30).text}\n")
                    except ClusterError as error:
                        stream.write(f"{error}\n")
        raise
