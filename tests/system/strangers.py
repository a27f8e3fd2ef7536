"""Frames as strangers make them: right by their form, or by nothing."""
import hashlib
import os
import struct

from shoalcluster import packets

PORT = 7447  # UDP: where the machines' kernels listen
HELLO, DATA = 1, 4
HELLO_BYTES, HANDSHAKE_BYTES = 176, 252
MAC, ADDRESS = b"\x02\0\0\0\0\x42", "10.0.0.66"


def crc32c(data):
    value = 0xffffffff
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
    return value ^ 0xffffffff


def cluster_frame(cluster, kind, length, session=0):
    """Of a cluster of that name, with a right checksum and a body that no key sealed."""
    tag = hashlib.sha256(b"shoal cluster " + cluster.encode()).digest()[:4]
    head = struct.pack("<BBH", kind, 3, 0 if kind == DATA else 0x1234) + tag + struct.pack("<I", session)
    body = os.urandom(length - 16)
    return head + struct.pack("<I", crc32c(head + bytes(4) + body)) + body


def ethernet(data):
    """To all machines, from an address that is none of theirs."""
    datagram = packets.udp(packets.ip_bytes(ADDRESS), PORT, b"\xff" * 4, PORT, data)
    return packets.ethernet(packets.BROADCAST_MAC, MAC, packets.ETHERTYPE_IPV4, datagram)


def send(cluster, data, times=1):
    cluster.switch("inject", 0, frame=ethernet(data).hex(), times=times)
