"""The host's half of the agent protocol on COM2 (docs/001-architecture.md, "Text channels for tools")."""
import re

HEADER = re.compile(rb"\x02 (\d{1,10}) (?:(out|exit) (-?\d{1,10})|(ready))\r?\n")
HEADER_BYTES_MAX = 64
OUT_BYTES_MAX = 1 << 20


def request(identifier, command):
    data = command.encode()
    return b"\x02 %d %d\n" % (identifier, len(data)) + data


def unsendable(command):
    return "\0" in command or "\2" in command


CANCEL = b"\x02 0 0\n"


class Decoder:
    """Bytes of the line in, events out: ("out", id, bytes), ("exit", id, status), ("ready",). Skips what it does not
    understand up to the next start of a header."""

    def __init__(self):
        self.buffer = bytearray()
        self.out_id, self.out_left = 0, 0

    def feed(self, data):
        self.buffer += data
        events = []
        while self.buffer:
            if self.out_left:
                piece = bytes(self.buffer[:self.out_left])
                del self.buffer[:len(piece)]
                self.out_left -= len(piece)
                events.append(("out", self.out_id, piece))
                continue
            start = self.buffer.find(b"\x02")
            if start < 0:
                self.buffer.clear()
                break
            del self.buffer[:start]
            match = HEADER.match(bytes(self.buffer[:HEADER_BYTES_MAX]))
            if match:
                del self.buffer[:match.end()]
                self.header(match, events)
            elif b"\n" in self.buffer or len(self.buffer) > HEADER_BYTES_MAX:
                del self.buffer[:1]
            else:
                break
        return events

    def header(self, match, events):
        if match[4]:
            events.append(("ready",))
        elif match[2] == b"exit":
            events.append(("exit", int(match[1]), int(match[3])))
        elif 0 <= int(match[3]) <= OUT_BYTES_MAX:
            self.out_id, self.out_left = int(match[1]), int(match[3])
