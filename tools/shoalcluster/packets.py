"""Ethernet, ARP, IPv4, UDP and ICMP frames as the gateway needs them: taken apart and put together, nothing kept."""
import ipaddress
import struct

ETHERTYPE_IPV4, ETHERTYPE_ARP = 0x0800, 0x0806
PROTOCOL_ICMP, PROTOCOL_UDP = 1, 17
BROADCAST_MAC = b"\xff" * 6
FRAME_BYTES_MAX = 65550


def mac_text(mac):
    return ":".join(f"{byte:02x}" for byte in mac)


def mac_bytes(text):
    return bytes(int(piece, 16) for piece in text.split(":"))


def ip_bytes(text):
    return ipaddress.IPv4Address(text).packed


def ip_text(raw):
    return str(ipaddress.IPv4Address(bytes(raw)))


def checksum(data):
    """The Internet checksum."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ethernet(to_mac, from_mac, ethertype, payload):
    return to_mac + from_mac + struct.pack(">H", ethertype) + payload


def ipv4(source, destination, protocol, payload, identification=0):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), identification, 0x4000, 64, protocol, 0, source,
                       destination)
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def udp(source, source_port, destination, destination_port, data):
    length = 8 + len(data)
    pseudo = source + destination + struct.pack(">BBH", 0, PROTOCOL_UDP, length)
    head = struct.pack(">HHHH", source_port, destination_port, length, 0)
    check = checksum(pseudo + head + data) or 0xffff
    return ipv4(source, destination, PROTOCOL_UDP, head[:6] + struct.pack(">H", check) + data)


def udp_payload_span(raw, port):
    """(start, end) of the payload in an Ethernet frame that carries a whole UDP datagram from or to that port, or None."""
    if len(raw) < 34 or raw[12:14] != b"\x08\x00" or raw[23] != PROTOCOL_UDP or raw[14] >> 4 != 4 or raw[20] & 0x3f or raw[21]:
        return None
    head = 14 + (raw[14] & 15) * 4
    if len(raw) < head + 8:
        return None
    source_port, target_port, length, _ = struct.unpack_from(">HHHH", raw, head)
    if port not in (source_port, target_port) or length < 8 or head + length > len(raw):
        return None
    return head + 8, head + length


def flip_udp_payload_bit(raw, span, bit):
    """The frame with that bit of its payload flipped and the UDP checksum made right again, as if it had been sent so."""
    start, end = span
    changed = bytearray(raw)
    changed[start + bit // 8] ^= 1 << bit % 8
    if changed[start - 2:start] != b"\0\0":  # zero: sent without a checksum
        changed[start - 2:start] = b"\0\0"
        pseudo = raw[26:34] + struct.pack(">BBH", 0, PROTOCOL_UDP, end - start + 8)
        changed[start - 2:start] = struct.pack(">H", checksum(pseudo + bytes(changed[start - 8:end])) or 0xffff)
    return bytes(changed)


class Ipv4Packet:
    """A received IPv4 packet; `valid` is False for anything malformed, fragmented or with a wrong checksum."""

    def __init__(self, raw):
        self.valid = False
        if len(raw) < 20 or raw[0] >> 4 != 4:
            return
        head = (raw[0] & 15) * 4
        total, = struct.unpack_from(">H", raw, 2)
        fragment, = struct.unpack_from(">H", raw, 6)
        if head < 20 or total < head or total > len(raw) or fragment & 0x3fff or checksum(raw[:head]) != 0:
            return
        self.protocol, self.source, self.destination = raw[9], raw[12:16], raw[16:20]
        self.payload = raw[head:total]
        self.valid = True


class UdpDatagram:
    def __init__(self, packet):
        self.valid = False
        if not packet.valid or packet.protocol != PROTOCOL_UDP or len(packet.payload) < 8:
            return
        self.source_port, self.port, length, _ = struct.unpack_from(">HHHH", packet.payload)
        if length < 8 or length > len(packet.payload):
            return
        self.data = packet.payload[8:length]
        self.valid = True
