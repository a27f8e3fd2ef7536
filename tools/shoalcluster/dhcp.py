"""A DHCP server as a function: a request in, an answer out. Addresses are stable: a machine's follows from its MAC."""
import struct

from . import packets

OP_REQUEST, OP_REPLY = 1, 2
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
COOKIE = b"\x63\x82\x53\x63"
HEAD = struct.Struct(">BBBBIHH4s4s4s4s16s64s128s")
LEASE_S = 86400
CLIENT_ARCH_X64_UEFI = (7, 9)

OPTION_NETMASK, OPTION_ROUTER, OPTION_REQUESTED, OPTION_LEASE, OPTION_TYPE = 1, 3, 50, 51, 53
OPTION_SERVER, OPTION_VENDOR, OPTION_TFTP_SERVER, OPTION_BOOTFILE, OPTION_ARCH = 54, 60, 66, 67, 93


def decode_options(raw):
    options, position = {}, 0
    while position < len(raw) and raw[position] != 255:
        if raw[position] == 0:
            position += 1
            continue
        if position + 2 > len(raw) or position + 2 + raw[position + 1] > len(raw):
            return None
        options[raw[position]] = raw[position + 2:position + 2 + raw[position + 1]]
        position += 2 + raw[position + 1]
    return options


def encode_options(options):
    return b"".join(bytes([code, len(value)]) + value for code, value in options) + b"\xff"


class DhcpServer:
    """`fixed` maps a MAC (6 bytes) to its address (4 bytes); others get the next free one from `pool_first` on."""

    def __init__(self, address, netmask, fixed, pool_first, bootfile=None):
        self.address, self.netmask, self.bootfile = address, netmask, bootfile
        self.given = dict(fixed)
        self.next = int.from_bytes(pool_first, "big")

    def address_of(self, mac):
        if mac not in self.given:
            self.given[mac] = self.next.to_bytes(4, "big")
            self.next += 1
        return self.given[mac]

    def answer(self, data):
        """(answer bytes, whether to broadcast it, client's address) or None."""
        if len(data) < HEAD.size + 4 or data[HEAD.size:HEAD.size + 4] != COOKIE:
            return None
        op, hardware, mac_length, _, xid, secs, flags, ciaddr, _, _, relay, chaddr, _, _ = HEAD.unpack_from(data)
        options = decode_options(data[HEAD.size + 4:])
        if op != OP_REQUEST or hardware != 1 or mac_length != 6 or options is None:
            return None
        kind = options.get(OPTION_TYPE, b"\0")[0] if options.get(OPTION_TYPE) else 0
        if options.get(OPTION_SERVER, self.address) != self.address:
            return None
        mine = self.address_of(chaddr[:6])
        if kind == DISCOVER:
            reply = OFFER
        elif kind == REQUEST:
            wanted = options.get(OPTION_REQUESTED, ciaddr)
            reply = ACK if wanted == mine else NAK
        elif kind == INFORM:
            reply = ACK
        else:
            return None
        given = mine if kind != INFORM and reply != NAK else bytes(4)
        return self.encode(reply, xid, secs, flags, ciaddr, given, relay, chaddr, options), given == bytes(4), mine

    def encode(self, reply, xid, secs, flags, ciaddr, given, relay, chaddr, asked):
        options = [(OPTION_TYPE, bytes([reply])), (OPTION_SERVER, self.address)]
        bootfile = b""
        if reply != NAK:
            options += [(OPTION_LEASE, struct.pack(">I", LEASE_S)), (OPTION_NETMASK, self.netmask),
                        (OPTION_ROUTER, self.address)]
            arch = asked.get(OPTION_ARCH, b"")
            if self.bootfile and len(arch) >= 2 and struct.unpack(">H", arch[:2])[0] in CLIENT_ARCH_X64_UEFI:
                bootfile = self.bootfile.encode()
                options += [(OPTION_TFTP_SERVER, packets.ip_text(self.address).encode()), (OPTION_BOOTFILE, bootfile)]
        head = HEAD.pack(OP_REPLY, 1, 6, 0, xid, secs, flags, ciaddr if reply == ACK else bytes(4), given,
                         self.address if bootfile else bytes(4), relay, chaddr, b"", bootfile)
        return head + COOKIE + encode_options(options)
