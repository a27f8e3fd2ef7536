"""Clients on the nodes of a live cluster (user/bin/load), and the record of what was said to them and what they said.

The record is a file of JSON lines with the host's clock in "h":

    {"h":..,"life":"n1.2","mark":17,"generation":3}     before mark 17 is sent
    {"h":..,"life":"n1.2","line":"..."}                 when a line of theirs was read
    {"h":..,"until":..,"fault":"cut_off 1","nodes":null}   what was done to the cluster, when it is over

A life is the clients of one node from their start to their end. tools/history.py judges the record.
"""
import base64
import json
import socket
import threading
import time

from shoalcluster.client import Connection

MARK_S = 0.1          # between marks
GENERATION_MARKS = 80  # the clients work on other keys after so many: operations without an outcome pile up on none


def now():
    return time.monotonic_ns()


class Line:
    """The console of one node, both ways."""

    def __init__(self, cluster, node, take):
        self.connection = Connection(cluster.control_path())
        self.connection.send("console", node=node, replay=0)
        self.connection.last_answer()
        self.take, self.buffer = take, self.connection.buffer
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while True:
            try:
                data = self.connection.socket.recv(1 << 16)
            except OSError:
                return
            if not data:
                return
            read_at = now()
            self.buffer += data
            *lines, self.buffer = self.buffer.split(b"\n")
            for line in lines:
                self.take(read_at, line.decode(errors="replace").strip("\r"))

    def type(self, text):
        try:
            self.connection.socket.sendall(text.encode())
        except OSError:
            pass  # its machine is off

    def close(self):
        try:
            self.connection.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join()
        self.connection.close()


class Life:
    def __init__(self, name, node):
        self.name, self.node = name, node
        self.line = None
        self.acknowledged, self.finished = 0, threading.Event()


class Recorder:
    """Starts and ends clients, marks time for them, and writes down what is said."""

    def __init__(self, cluster, path, seed, limit_s):
        self.cluster, self.seed, self.limit_s = cluster, seed, limit_s
        self.stream = open(path, "w")
        self.lock = threading.Lock()
        self.lives, self.born = {}, {}  # node -> its present life; node -> how many it had
        self.mark, self.ending = 0, threading.Event()
        self.marker = threading.Thread(target=self.run_marks, daemon=True)
        self.marker.start()

    def write(self, row):
        with self.lock:
            self.stream.write(json.dumps(row) + "\n")

    def generation(self):
        return 1 + self.mark // GENERATION_MARKS

    def run_marks(self):
        while not self.ending.wait(MARK_S):
            self.mark += 1
            for life in list(self.lives.values()):
                if life.line:
                    self.write({"h": now(), "life": life.name, "mark": self.mark, "generation": self.generation()})
                    life.line.type(f"mark {self.mark} {self.generation()}\r")

    def fault(self, began, words, nodes=None):
        """nodes: whose leases may end although they are heard; None: all."""
        self.write({"h": began, "until": now(), "fault": words, "nodes": nodes})

    # ---- clients ----

    def take(self, life, read_at, line):
        if not line.startswith("{"):
            return
        self.write({"h": read_at, "life": life.name, "line": line})
        if '"t":"ok"' in line:
            life.acknowledged += 1
        elif '"t":"finished"' in line:
            life.finished.set()

    def start(self, node, words="", since=0):
        """Where the shell of that node waits: from `since` on its console says so."""
        self.born[node] = self.born.get(node, 0) + 1
        life = Life(f"n{node}.{self.born[node]}", node)
        position = self.cluster.expect(node, r"\$ ", since=since, limit=self.limit_s)["end"]
        line = Line(self.cluster, node, lambda read_at, text: self.take(life, read_at, text))
        command = f"load {life.name} {self.seed}{words}"
        line.type(command + "\r")
        self.cluster.expect(node, command, since=position, limit=self.limit_s)
        life.line = line
        self.lives[node] = life
        return life

    def lost(self, node):
        """The machine lost power, or the clients ended otherwise."""
        life = self.lives.pop(node, None)
        if life and life.line:
            life.line.close()

    def stop(self):
        """All clients end what they are at."""
        for life in self.lives.values():
            life.line.type("stop\r")
        for node, life in list(self.lives.items()):
            if not life.finished.wait(self.limit_s):
                raise TimeoutError(f"the clients of node {node} do not end")
            self.lost(node)

    def read_all(self, node):
        """What is there in the end, as one more client sees it."""
        life = self.start(node, f" final {self.generation()}", since=self.position_of_prompt(node))
        if not life.finished.wait(self.limit_s):
            raise TimeoutError("what is there in the end cannot be read")
        self.lost(node)

    def position_of_prompt(self, node):
        return self.cluster.position(node) - 200 if self.cluster.position(node) > 200 else 0

    def close(self):
        self.ending.set()
        self.marker.join()
        for node in list(self.lives):
            self.lost(node)
        self.stream.close()

    # ---- progress ----

    def acknowledged(self, node):
        return self.lives[node].acknowledged if node in self.lives else 0

    def text(self, node, text):
        self.cluster.call("type", node=node, data=base64.b64encode(text.encode()).decode())
