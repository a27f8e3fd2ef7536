"""Nodes of build/host/raftd-host, and a network between them that delivers what a test lets through."""
import json
import os
import pathlib
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[3]
BINARY = TOP / os.environ.get("BUILD", "build") / "host" / "raftd-host"


class Refused(Exception):
    """The answer to a line was an error; the text says which."""


class Process:
    def __init__(self):
        self.process = subprocess.Popen([str(BINARY)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def raw(self, line):
        self.process.stdin.write((line if isinstance(line, bytes) else line.encode()) + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"the process ended at {line[:200]!r}"
        return json.loads(answer)

    def ask(self, verb, **arguments):
        answer = self.raw(f"{verb} {json.dumps(arguments)}" if arguments else verb)
        if not answer["ok"]:
            raise Refused(answer["error"])
        return answer

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0
        self.process.stdout.close()


class Node(Process):
    """A node that keeps what is persisted, so that it can be started again from that."""

    def __init__(self, number, **options):
        super().__init__()
        self.number, self.options = number, options
        self.entries, self.hard_state, self.applied = [], {"term": 0, "vote": 0, "commit": 0}, []
        self.ask("new", id=number, seed=number, **options)

    def status(self):
        return self.ask("status")

    def persist(self, ready):
        if "persist" not in ready:
            return
        if ready["truncate"]:
            self.entries = [e for e in self.entries if e["index"] < ready["truncate"]]
        self.entries += ready["entries"]
        self.hard_state = {name: ready["hardstate"][name] for name in ("term", "vote", "commit")}
        self.ask("persisted", id=ready["persist"])

    def work(self):
        """Does all that the node wants done; the messages that come of it."""
        messages = []
        while True:
            ready = self.ask("ready")
            messages += ready["messages"]
            self.persist(ready)
            if "snapshot" in ready:
                self.applied = [ready["snapshot"]["data"]]
                self.entries = []
            self.applied += [e["data"] for e in ready["committed"] if e["type"] == "EntryNormal"]
            if "snapshot" in ready or ready["committed"]:
                self.ask("applied")
            elif not ready["messages"] and "persist" not in ready and not ready["committed"] and not ready["more"]:
                return messages

    def restart(self):
        self.close()
        super().__init__()
        self.applied = []
        self.ask("new", id=self.number, seed=self.number, entries=self.entries, hardstate=self.hard_state, **self.options)


class Network:
    def __init__(self, count, **options):
        voters = list(range(1, count + 1))
        self.nodes = {n: Node(n, voters=voters, **options) for n in voters}

    def deliver(self, messages, among=None, allow=lambda m: True):
        """Passes messages on until none is left, between the nodes of `among`."""
        among = among or set(self.nodes)
        while messages:
            m = messages.pop(0)
            if m["from"] in among and m["to"] in among and m["to"] in self.nodes and allow(m):
                self.nodes[m["to"]].ask("step", **m)
                messages += self.nodes[m["to"]].work()

    def elect(self, number, among=None, allow=lambda m: True):
        for _ in range(2):  # one that is behind learns of the newer term first
            for other in (among or set(self.nodes)) - {number}:
                self.nodes[other].ask("forget-leader")
            self.nodes[number].ask("campaign")
            self.deliver(self.nodes[number].work(), among, allow)
            if self.nodes[number].status()["role"] == "StateLeader":
                return
        assert self.nodes[number].status()["role"] == "StateLeader"

    def tick(self, count, among=None):
        for _ in range(count):
            messages = []
            for number in sorted(among or self.nodes):
                self.nodes[number].ask("tick")
                messages += self.nodes[number].work()
            self.deliver(messages, among)

    def close(self):
        for node in self.nodes.values():
            node.close()
