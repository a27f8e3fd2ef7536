"""The Ethernet switch process between the machines of a cluster.

Each port is a listening unix socket to which one QEMU connects (-netdev stream): 4 bytes of big-endian length, then the
frame, both ways. Port 0 is the built-in gateway. Every directed pair of ports is a link that can be cut, made to lose,
double, reorder or delay frames; frames of the cluster itself can be altered on it, and sent again. Commands come as JSON lines
over a control socket; every answer is one JSON line.
"""
import collections
import errno
import heapq
import json
import os
import random
import select
import signal
import socket
import struct
import sys
import time

from . import gateway, packets

QUEUE_BYTES_MAX = 4 << 20  # per port; a machine that does not read (paused) loses what exceeds it, as on a real switch
READ_BYTES = 1 << 18
CLUSTER_PORT = 7447  # UDP: what the machines' kernels say to each other
RECENT_FRAMES_MAX = 4096  # frames of the cluster that are remembered, of all links together
REPLAY_FRAMES_MAX = 100  # sent again at once, a direction
REORDER_S = 0.02  # how long a frame is kept back at most, so that others overtake it


class Link:
    """What happens to frames from one port to another."""

    def __init__(self):
        self.heal()
        self.passed = self.bytes = self.lost = self.altered = 0  # bytes: of those that passed
        self.doubled = self.reordered = 0

    def heal(self):
        self.cut, self.drop_percent, self.delay_ms, self.jitter_ms = False, 0.0, 0.0, 0.0
        self.alter_percent = 0.0  # of the cluster's frames
        self.double_percent = self.reorder_percent = 0.0

    def describe(self):
        return {"cut": self.cut, "drop": self.drop_percent, "delay_ms": self.delay_ms, "jitter_ms": self.jitter_ms,
                "alter": self.alter_percent, "double": self.double_percent, "reorder": self.reorder_percent,
                "passed": self.passed, "bytes": self.bytes, "lost": self.lost, "altered": self.altered, "doubled": self.doubled,
                "reordered": self.reordered}


class Port:
    def __init__(self, number, listener):
        self.number, self.listener = number, listener
        self.connection = None
        self.received, self.queue = bytearray(), bytearray()
        self.overflowed = 0

    def disconnect(self):
        if self.connection:
            self.connection.close()
        self.connection = None
        self.received.clear()
        self.queue.clear()


class Capture:
    """A pcap file of every frame that enters the switch."""

    def __init__(self, path):
        self.stream = open(path, "wb")
        self.stream.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))

    def frame(self, raw):
        now = time.time()
        self.stream.write(struct.pack("<IIII", int(now), int(now % 1 * 1e6), len(raw), len(raw)) + raw)

    def close(self):
        self.stream.close()


class Switch:
    """Frames in, frames out; knows nothing of sockets but their queues, so that tests can drive it directly."""

    def __init__(self, seed, settings):
        self.random = random.Random(seed)
        self.links, self.macs, self.ports = {}, {}, {}
        self.later = []  # heap of (time, serial, from port, to port, frame)
        self.serial = 0
        self.recent = collections.deque(maxlen=RECENT_FRAMES_MAX)  # (from port, to port, frame) of the cluster
        self.capture = None
        self.gateway = gateway.Gateway(settings) if settings else None

    def link(self, source, target):
        return self.links.setdefault((source, target), Link())

    def targets(self, source, raw):
        """A frame goes where its address was last heard; to all when unknown or many."""
        known = None if raw[0] & 1 else self.macs.get(raw[:6])
        if known is not None:
            return [known] if known != source else []
        everyone = [0] if self.gateway else []
        return [port for port in everyone + list(self.ports) if port != source]

    def frame(self, source, raw, now):
        """A frame enters at a port."""
        if len(raw) < 14:
            return
        if self.capture:
            self.capture.frame(raw)
        if not raw[6] & 1:
            self.macs[raw[6:12]] = source
        span = packets.udp_payload_span(raw, CLUSTER_PORT)
        for target in self.targets(source, raw):
            if span:
                self.recent.append((source, target, raw))
            self.forward(source, target, self.maybe_altered(source, target, raw, span), now)

    def maybe_altered(self, source, target, raw, span):
        link = self.link(source, target)
        if not span or span[0] == span[1] or not link.alter_percent or self.random.random() * 100 >= link.alter_percent:
            return raw
        link.altered += 1
        return packets.flip_udp_payload_bit(raw, span, self.random.randrange((span[1] - span[0]) * 8))

    def replay(self, pairs, now):
        """Sends again what the cluster's machines last said to each other on these links; how many frames."""
        count = 0
        for pair in sorted(pairs):
            again = [raw for source, target, raw in self.recent if (source, target) == pair][-REPLAY_FRAMES_MAX:]
            for raw in again:
                self.forward(*pair, raw, now)
            count += len(again)
        return count

    def forward(self, source, target, raw, now):
        link = self.link(source, target)
        if link.cut or (link.drop_percent and self.random.random() * 100 < link.drop_percent):
            link.lost += 1
            return
        link.passed += 1
        link.bytes += len(raw)
        self.send(source, target, raw, now)
        if link.double_percent and self.random.random() * 100 < link.double_percent:
            link.doubled += 1
            self.send(source, target, raw, now)

    def send(self, source, target, raw, now):
        link = self.link(source, target)
        wait_s = (link.delay_ms + (self.random.random() * link.jitter_ms if link.jitter_ms else 0)) / 1000
        if link.reorder_percent and self.random.random() * 100 < link.reorder_percent:
            link.reordered += 1
            wait_s += self.random.random() * REORDER_S
        if wait_s:
            self.serial += 1
            heapq.heappush(self.later, (now + wait_s, self.serial, source, target, raw))
        else:
            self.deliver(target, raw, now)

    def deliver(self, target, raw, now):
        if target == 0:
            for answer in self.gateway.frame(raw, now):
                self.frame(0, answer, now)
            return
        port = self.ports[target]
        if port.connection is None:
            return
        if len(port.queue) + len(raw) > QUEUE_BYTES_MAX:
            port.overflowed += 1
            return
        port.queue += struct.pack(">I", len(raw)) + raw

    def tick(self, now):
        while self.later and self.later[0][0] <= now:
            _, _, source, target, raw = heapq.heappop(self.later)
            if not self.link(source, target).cut:  # a cable that was cut meanwhile carries nothing
                self.deliver(target, raw, now)
        if self.gateway:
            for raw in self.gateway.tick(now):
                self.frame(0, raw, now)

    def next_due(self):
        due = [self.later[0][0]] if self.later else []
        if self.gateway and self.gateway.next_due() is not None:
            due.append(self.gateway.next_due())
        return min(due, default=None)

    # ---- commands ----

    def pairs(self, command):
        a, b = command.get("from"), command.get("to")
        for port in (a, b):
            if port is not None and port != 0 and port not in self.ports:
                raise ValueError(f"there is no port {port}")
        everyone = [0] + list(self.ports)
        left, right = [a] if a is not None else everyone, [b] if b is not None else everyone
        result = {(x, y) for x in left for y in right if x != y}
        return result if command.get("one_way") else result | {(y, x) for x, y in result}

    def command(self, command):
        op = command["op"]
        if op == "cut":
            for pair in self.pairs(command):
                self.link(*pair).cut = True
        elif op == "heal":
            for pair in self.pairs(command):
                self.link(*pair).heal()
        elif op == "drop":
            for pair in self.pairs(command):
                self.link(*pair).drop_percent = float(command["percent"])
        elif op == "delay":
            for pair in self.pairs(command):
                self.link(*pair).delay_ms = float(command["ms"])
                self.link(*pair).jitter_ms = float(command.get("jitter_ms", 0))
        elif op == "alter":
            for pair in self.pairs(command):
                self.link(*pair).alter_percent = float(command["percent"])
        elif op in ("double", "reorder"):
            for pair in self.pairs(command):
                setattr(self.link(*pair), op + "_percent", float(command["percent"]))
        elif op == "replay":
            return {"frames": self.replay(self.pairs(command), time.monotonic())}
        elif op == "inject":
            for _ in range(int(command.get("times", 1))):
                self.frame(command["from"], bytes.fromhex(command["frame"]), time.monotonic())
        elif op == "capture":
            if self.capture:
                self.capture.close()
            self.capture = Capture(command["path"]) if command.get("path") else None
        elif op == "links":
            return {"links": [dict(link.describe(), **{"from": a, "to": b}) for (a, b), link in sorted(self.links.items())],
                    "overflowed": {number: port.overflowed for number, port in self.ports.items()}}
        else:
            raise ValueError(f"no such operation '{op}'")
        return {}


class Server:
    """The sockets around a Switch."""

    def __init__(self, switch, folder, nodes):
        self.switch, self.epoll = switch, select.epoll()
        self.handlers = {}
        self.control = self.listen(os.path.join(folder, "switch"), self.accept_control)
        for number in range(1, nodes + 1):
            port = Port(number, None)
            port.listener = self.listen(os.path.join(folder, f"port{number}"), lambda _, p=port: self.accept_port(p))
            switch.ports[number] = port

    def listen(self, path, handler):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(8)
        listener.setblocking(False)
        self.watch(listener, select.EPOLLIN, handler)
        return listener

    def watch(self, sock, events, handler):
        self.handlers[sock.fileno()] = handler
        self.epoll.register(sock, events)

    def forget(self, sock):
        self.handlers.pop(sock.fileno(), None)
        self.epoll.unregister(sock)

    def accept_port(self, port):
        connection, _ = port.listener.accept()
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        if port.connection:
            self.forget(port.connection)
            port.disconnect()
        port.connection = connection
        self.watch(connection, select.EPOLLIN, lambda events: self.port_event(port, events))

    def port_event(self, port, events):
        try:
            if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                self.read_port(port)
            if port.connection and events & select.EPOLLOUT:
                self.flush(port)
        except OSError:
            self.close_port(port)

    def read_port(self, port):
        try:
            data = port.connection.recv(READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self.close_port(port)
            return
        port.received += data
        position, buffer, now = 0, port.received, time.monotonic()
        while len(buffer) - position >= 4:
            length, = struct.unpack_from(">I", buffer, position)
            if length > packets.FRAME_BYTES_MAX:
                self.close_port(port)
                return
            if len(buffer) - position - 4 < length:
                break
            self.switch.frame(port.number, bytes(buffer[position + 4:position + 4 + length]), now)
            position += 4 + length
        del buffer[:position]

    def close_port(self, port):
        if port.connection:
            self.forget(port.connection)
            port.disconnect()

    def flush(self, port):
        try:
            while port.queue:
                del port.queue[:port.connection.send(memoryview(port.queue)[:READ_BYTES].tobytes())]
        except BlockingIOError:
            pass
        wanted = select.EPOLLIN | (select.EPOLLOUT if port.queue else 0)
        self.epoll.modify(port.connection, wanted)

    def accept_control(self, _):
        connection, _ = self.control.accept()
        buffer = bytearray()
        self.watch(connection, select.EPOLLIN, lambda _: self.control_event(connection, buffer))

    def control_event(self, connection, buffer):
        data = connection.recv(1 << 20)
        if not data:
            self.forget(connection)
            connection.close()
            return
        buffer += data
        while b"\n" in buffer:
            line, _, rest = bytes(buffer).partition(b"\n")
            buffer[:] = rest
            try:
                answer = dict(self.switch.command(json.loads(line)), ok=True)
            except (ValueError, KeyError, OSError) as error:
                answer = {"ok": False, "error": str(error)}
            connection.sendall(json.dumps(answer).encode() + b"\n")

    def run(self):
        while True:
            due = self.switch.next_due()
            timeout = -1 if due is None else max(0.0, due - time.monotonic())
            for descriptor, events in self.epoll.poll(timeout):
                handler = self.handlers.get(descriptor)
                if handler:
                    handler(events)
            self.switch.tick(time.monotonic())
            for port in self.switch.ports.values():
                if port.connection and port.queue:
                    try:
                        self.flush(port)
                    except OSError as error:
                        if error.errno not in (errno.EPIPE, errno.ECONNRESET):
                            raise
                        self.close_port(port)


def main():
    """switch FOLDER: settings come as JSON on standard input; says "ready" when its sockets are there."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = json.load(sys.stdin)
    server = Server(Switch(settings["seed"], settings["gateway"]), sys.argv[1], settings["nodes"])
    print("ready", flush=True)
    server.run()


if __name__ == "__main__":
    main()
