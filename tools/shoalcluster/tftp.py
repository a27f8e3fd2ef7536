"""A read-only TFTP server (RFC 1350, 2347-2349, 7440) as a state machine: datagrams and the time in, datagrams out."""
import os
import struct

RRQ, WRQ, DATA, ACK, ERROR, OACK = 1, 2, 3, 4, 5, 6
RETRY_S = 1.0
TRIES_MAX = 8
BLKSIZE_MAX = 1468  # what fits into one Ethernet frame
WINDOW_MAX = 64
SESSIONS_MAX = 256


def error_packet(code, text):
    return struct.pack(">HH", ERROR, code) + text.encode() + b"\0"


class Transfer:
    """One file on its way to one client."""

    def __init__(self, stream, size, options):
        self.stream, self.size = stream, size
        self.blksize, self.window = options.get("blksize", 512), options.get("windowsize", 1)
        self.first = 1         # first block not acknowledged
        self.negotiating = bool(options)
        self.oack = options
        self.tries, self.retry_at = 0, 0.0

    def blocks(self):
        return self.size // self.blksize + 1

    def burst(self, now):
        """What is to be sent, or sent again, now."""
        self.retry_at = now + RETRY_S
        if self.negotiating:
            body = "".join(f"{key}\0{value}\0" for key, value in self.oack.items())
            return [struct.pack(">H", OACK) + body.encode()]
        result = []
        for block in range(self.first, min(self.first + self.window, self.blocks() + 1)):
            self.stream.seek((block - 1) * self.blksize)
            result.append(struct.pack(">HH", DATA, block & 0xffff) + self.stream.read(self.blksize))
        return result

    def acknowledge(self, number, now):
        """(datagrams, finished)"""
        if self.negotiating:
            if number != 0:
                return [], False
            self.negotiating, self.tries = False, 0
            return self.burst(now), False
        # The acknowledged block is the one nearest below the end of the window that has this 16-bit number.
        last_sent = min(self.first + self.window - 1, self.blocks())
        acknowledged = last_sent - ((last_sent - number) & 0xffff)
        if acknowledged < self.first - 1:
            return [], False
        if acknowledged >= self.blocks():
            return [], True
        if acknowledged == self.first - 1 and self.window == 1:
            return [], False  # a late duplicate: answering it would double every block from here on
        self.first, self.tries = acknowledged + 1, 0
        return self.burst(now), False


class TftpServer:
    """Serves the files named in `files` (name -> path) and nothing else."""

    def __init__(self, files):
        self.files = files
        self.transfers = {}  # client's key -> Transfer

    def request(self, key, data, now):
        """A datagram to the well-known port, from a client known by `key`. Answers."""
        if len(data) < 2:
            return []
        opcode, = struct.unpack_from(">H", data)
        if opcode == WRQ:
            return [error_packet(2, "this server is read-only")]
        if opcode != RRQ:
            return []
        fields = data[2:].split(b"\0")
        if len(fields) < 3:
            return [error_packet(4, "malformed request")]
        name = fields[0].decode("ascii", "replace").lstrip("/\\").replace("\\", "/")
        path = self.files.get(name)
        if path is None or not os.path.isfile(path):
            return [error_packet(1, f"no file '{name}' here; there are: {', '.join(sorted(self.files))}")]
        if len(self.transfers) >= SESSIONS_MAX and key not in self.transfers:
            return [error_packet(0, "too many transfers")]
        self.drop(key)
        stream = open(path, "rb")
        size = os.fstat(stream.fileno()).st_size
        self.transfers[key] = Transfer(stream, size, self.negotiate(fields[2:], size))
        return self.transfers[key].burst(now)

    @staticmethod
    def negotiate(fields, size):
        accepted = {}
        for name, value in zip(fields[0::2], fields[1::2]):
            key = name.decode("ascii", "replace").lower()
            if not value.isdigit():
                continue
            number = int(value)
            if key == "blksize" and number >= 8:
                accepted[key] = min(number, BLKSIZE_MAX)
            elif key == "tsize":
                accepted[key] = size
            elif key == "windowsize" and number >= 1:
                accepted[key] = min(number, WINDOW_MAX)
        return accepted

    def datagram(self, key, data, now):
        """A datagram to a transfer's own port."""
        transfer = self.transfers.get(key)
        if transfer is None or len(data) < 4:
            return []
        opcode, number = struct.unpack_from(">HH", data)
        if opcode == ERROR:
            self.drop(key)  # also how a client that only asked for the size takes its leave
            return []
        if opcode != ACK:
            return []
        answers, finished = transfer.acknowledge(number, now)
        if finished:
            self.drop(key)
        return answers

    def drop(self, key):
        transfer = self.transfers.pop(key, None)
        if transfer:
            transfer.stream.close()

    def tick(self, now):
        """[(client's key, datagram)] that are due again."""
        due = []
        for key, transfer in list(self.transfers.items()):
            if now < transfer.retry_at:
                continue
            transfer.tries += 1
            if transfer.tries > TRIES_MAX:
                self.drop(key)
            else:
                due += [(key, datagram) for datagram in transfer.burst(now)]
        return due

    def next_due(self):
        return min((transfer.retry_at for transfer in self.transfers.values()), default=None)
