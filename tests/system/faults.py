"""Three machines with clients that work all the time, and what can be asked of them while they are harmed.

Each node's console shell holds the lock heldN and runs `load` (user/bin/load). What that prints is recorded
(tools/shoalnemesis/record.py) and judged in the end (tools/history.py).
"""
import os
import pathlib
import re
import subprocess
import time

import history
from shoalcluster import paths
from shoalcluster.paths import ClusterError
from shoalnemesis.record import Recorder, now

HANG_S = float(os.environ.get("HANG_S", "300"))  # limits only detect hangs
ALL = (1, 2, 3)
FOREVER_S = 1000000
WORDS_S = 30.0
SEED = 1
NODE_ROW = re.compile(r"^\s*(\d+)\*?\s+\S+\s+(up|not heard|removed|refused)\s+(leader|voter|learner)", re.M)


class Harmed:
    """A cluster of three and its clients."""

    def __init__(self, cluster, logs):
        self.cluster, self.logs = cluster, logs
        self.seen = {node: 0 for node in ALL}  # where on its console the present shell's words begin
        self.began, self.began_ns = time.monotonic(), now()
        for node in ALL:
            cluster.wait_shell(node, HANG_S)
        cluster.wait_quorum(ALL, HANG_S)
        self.recorder = Recorder(cluster, logs / "record", SEED, HANG_S)
        for node in ALL:
            self.start_client(node)
        self.progress(ALL)

    def say(self, text):
        with open(self.logs / "faults.log", "a") as stream:
            stream.write(f"{time.monotonic() - self.began:7.1f} s  {text}\n")

    def keep_words(self):
        """What each node that answers says of itself, into the logs: for whoever looks into a failure."""
        for node in ALL:
            with open(self.logs / f"words{node}", "w") as stream:
                try:
                    for command in ("nodes", "status", "ps", "raft", "log"):
                        stream.write(f"$ {command}\n{self.cluster.exec(node, command, limit=WORDS_S).text}\n")
                except ClusterError as error:
                    stream.write(f"{error}\n")

    # ---- asking ----

    def run(self, node, command):
        return self.cluster.exec(node, command, limit=HANG_S)

    def until(self, what, condition):
        self.say(f"    until {what}")
        return self.cluster.wait_until(condition, what, HANG_S)

    def rows(self, node):
        """{number: (state, role)} as `nodes` there shows it."""
        return {int(n): (state, role) for n, state, role in NODE_ROW.findall(self.run(node, "nodes").text)}

    def leader(self):
        """The node that leads by its own word and by another's."""
        def agreed():
            said = [re.search(r"^leader\s+node (\d+)", self.run(node, "raft").text, re.M) for node in ALL]
            numbers = {int(found[1]) for found in said if found}
            return numbers.pop() if len(numbers) == 1 and all(said) else 0
        return self.until("all name one leader", agreed)

    def follower(self):
        """A follower, each time another one."""
        leader = self.leader()
        self.turn = getattr(self, "turn", 0) + 1
        return others(leader)[self.turn % 2]

    def services(self, node):
        """{service: (state, restarts)} as `status` there shows it."""
        rows = re.findall(r"^(\w+)\s+(running|\w+)\s+[\d.-]+\s+(\d+)\b", self.run(node, "status").text, re.M)
        return {name: (state, int(restarts)) for name, state, restarts in rows}

    # ---- clients ----

    def start_client(self, node):
        end = self.cluster.expect(node, r"\$ ", since=self.seen[node], limit=HANG_S)["end"]
        self.cluster.type(node, f"lock held{node} -- sleep {FOREVER_S} &\r")
        end = self.cluster.expect(node, "&", since=end, limit=HANG_S)["end"]
        self.recorder.start(node, since=end)

    def kill(self, node):
        self.cluster.kill(node)
        self.recorder.lost(node)

    def progress(self, nodes):
        """Until something that was asked for from now on has been acknowledged to each of these nodes' clients."""
        before = {node: self.recorder.acknowledged(node) for node in nodes}
        for node in nodes:
            self.until(f"the clients on node {node} go on", lambda: self.recorder.acknowledged(node) > before[node] + 10)

    # ---- claims ----

    def shells_work(self, nodes):
        for node in nodes:
            assert self.run(node, f"echo shell {node} > /tmp/s; cat /tmp/s").text == f"shell {node}\n"

    def gone_as_seen_by(self, observers, victim):
        for node in observers:
            self.until(f"node {node} shows that node {victim} is not heard",
                       lambda: self.rows(node).get(victim, ("", ""))[0] == "not heard")

    def waits(self, node):
        """The minority side: it works here, says what it waits for, and acknowledges nothing."""
        self.until(f"node {node} says what it waits for", lambda: "voters" in self.cluster.has_quorum(node)[1])
        before = self.recorder.acknowledged(node)
        status = self.run(node, "status").text
        assert re.search(r"^waiting .*voters", status, re.M), status
        self.shells_work([node])
        assert "load" in self.run(node, "ps").text
        assert self.recorder.acknowledged(node) == before

    def whole(self):
        """All are there for all, vote, follow one leader, and their clients go on."""
        self.cluster.wait_quorum(ALL, HANG_S)
        for node in ALL:
            self.until(f"node {node} shows all as voters", lambda: all(
                state == "up" and role in ("leader", "voter") for state, role in self.rows(node).values()))
            self.until(f"node {node} votes", lambda: re.search(r"^node .*, votes, durable;(?!.*NO QUORUM)",
                                                               self.run(node, "status").text, re.M))
        self.progress(ALL)

    def back(self, *victims, blank_disk=False):
        for node in victims:
            self.seen[node] = self.cluster.position(node)
            self.recorder.lost(node)
            self.cluster.restart(node, blank_disk=blank_disk)
        for node in victims:
            self.cluster.wait_shell(node, HANG_S)
        self.cluster.wait_quorum(ALL, HANG_S)
        for node in victims:
            assert blank_disk or "the log is valid" in self.run(node, "status").text
            self.start_client(node)

    # ---- judging ----

    def judge(self):
        """(does the history hold, the checker's words). All is healed."""
        self.recorder.fault(self.began_ns, "what the test did")
        self.recorder.stop()
        self.recorder.read_all(1)
        self.recorder.close()
        status, words = history.judge(self.logs / "record", self.logs / "history")
        self.say(words.strip())
        return status == 0, words


def others(*without):
    return [node for node in ALL if node not in without]


def patched_build(patch, folder):
    """A build of the sources with a patch in them: the folder of what was built."""
    top, place = pathlib.Path(paths.TOP), pathlib.Path(folder)
    built = pathlib.Path(paths.build_folder())
    for name in subprocess.run(["git", "ls-files", "-z"], cwd=top, capture_output=True, text=True,
                               check=True).stdout.split("\0")[:-1]:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-p", str(top / name), str(place / name)], check=True)
    subprocess.run(["cp", "-a", str(built), str(place / "build")], check=True)
    subprocess.run(["patch", "-s", "-p1", "-i", str(patch)], cwd=place, check=True)
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "BUILD")}
    subprocess.run(["make", "-s", "build"], cwd=place, check=True, env=environment)
    return str(place / "build")
