"""The switch's links and gateway, driven without sockets."""
import struct

import pytest

from shoalcluster import dhcp, gateway, packets, switch, tftp

MACS = {n: packets.mac_bytes(f"52:54:00:53:48:0{n}") for n in (1, 2, 3)}
GATEWAY_IP = packets.ip_bytes("10.0.0.254")


class FakeConnection:
    pass


def settings(files=None, bootfile="BOOTX64.EFI"):
    return {"address": "10.0.0.254", "netmask": "255.255.255.0", "pool": "10.0.0.100", "files": files or {},
            "hosts": {packets.mac_text(mac): f"10.0.0.{n}" for n, mac in MACS.items()}, "bootfile": bootfile}


@pytest.fixture
def three():
    made = switch.Switch(1, settings())
    for number in (1, 2, 3):
        made.ports[number] = switch.Port(number, None)
        made.ports[number].connection = FakeConnection()
    return made


def received(made, port):
    frames, queue = [], made.ports[port].queue
    while queue:
        length, = struct.unpack_from(">I", queue)
        frames.append(bytes(queue[4:4 + length]))
        del queue[:4 + length]
    return frames


def frame(source, target, body=b"x" * 50):
    return packets.ethernet(MACS[target] if target else packets.BROADCAST_MAC, MACS[source], 0x88b5, body)


def learn(made):
    for number in (1, 2, 3):
        made.frame(number, frame(number, None), 0.0)
    for number in (1, 2, 3):
        received(made, number)


def test_unknown_goes_to_all_known_to_one(three):
    three.frame(1, frame(1, 2), 0.0)
    assert len(received(three, 2)) == len(received(three, 3)) == 1
    learn(three)
    three.frame(1, frame(1, 2), 0.0)
    assert received(three, 2) == [frame(1, 2)] and received(three, 3) == [] and received(three, 1) == []


def test_cut_both_ways_and_one_way(three):
    learn(three)
    three.command({"op": "cut", "from": 1, "to": 2})
    three.frame(1, frame(1, 2), 0.0)
    three.frame(2, frame(2, 1), 0.0)
    three.frame(1, frame(1, 3), 0.0)
    assert received(three, 2) == [] and received(three, 1) == [] and len(received(three, 3)) == 1
    three.command({"op": "heal"})
    three.command({"op": "cut", "from": 1, "to": 2, "one_way": True})
    three.frame(1, frame(1, 2), 0.0)
    three.frame(2, frame(2, 1), 0.0)
    assert received(three, 2) == [] and len(received(three, 1)) == 1


def test_cutting_one_node_cuts_all_its_links(three):
    learn(three)
    three.command({"op": "cut", "from": 1, "to": None})
    three.frame(1, frame(1, None), 0.0)
    three.frame(2, frame(2, None), 0.0)
    assert received(three, 1) == [] and received(three, 2) == [] and len(received(three, 3)) == 1


def losses(seed):
    made = switch.Switch(seed, None)
    for number in (1, 2):
        made.ports[number] = switch.Port(number, None)
        made.ports[number].connection = FakeConnection()
    made.command({"op": "drop", "from": 1, "to": 2, "percent": 20})
    for i in range(1000):
        made.frame(1, frame(1, 2, struct.pack(">I", i) + bytes(46)), 0.0)
    return [struct.unpack(">I", raw[14:18])[0] for raw in received(made, 2)]


def test_losses_follow_the_seed():
    first = losses(5)
    assert 700 < len(first) < 900
    assert losses(5) == first and losses(6) != first


def test_delay_keeps_frames_back_until_due(three):
    learn(three)
    three.command({"op": "delay", "from": 1, "to": 2, "ms": 50})
    three.frame(1, frame(1, 2), 10.0)
    three.tick(10.04)
    assert received(three, 2) == [] and three.next_due() == pytest.approx(10.05)
    three.tick(10.06)
    assert len(received(three, 2)) == 1


def test_doubled_and_overtaken(three):
    learn(three)
    three.command({"op": "double", "from": 1, "to": 2, "percent": 100, "one_way": True})
    three.frame(1, frame(1, 2), 0.0)
    three.frame(2, frame(2, 1), 0.0)
    assert received(three, 2) == [frame(1, 2)] * 2 and len(received(three, 1)) == 1
    three.command({"op": "heal"})
    three.command({"op": "reorder", "from": 1, "to": 2, "percent": 50})
    sent = [frame(1, 2, bytes([i]) * 50) for i in range(100)]
    for i, raw in enumerate(sent):
        three.frame(1, raw, i / 1000)
        three.tick(i / 1000)
    three.tick(1.0)
    came = received(three, 2)
    assert came != sent and sorted(came) == sorted(sent)
    three.command({"op": "heal"})
    for raw in sent:
        three.frame(1, raw, 2.0)
    assert received(three, 2) == sent


def test_cut_cable_loses_what_was_on_its_way(three):
    learn(three)
    three.command({"op": "delay", "from": 1, "to": 2, "ms": 50})
    three.frame(1, frame(1, 2), 10.0)
    three.command({"op": "cut", "from": 1, "to": 2})
    three.tick(11.0)
    assert received(three, 2) == []


def test_a_machine_that_does_not_read_costs_only_itself(three):
    learn(three)
    for _ in range(3 * switch.QUEUE_BYTES_MAX // 1500):
        three.frame(1, frame(1, 2, bytes(1486)), 0.0)
    assert len(three.ports[2].queue) <= switch.QUEUE_BYTES_MAX and three.ports[2].overflowed > 0
    three.frame(1, frame(1, 3), 0.0)
    assert len(received(three, 3)) == 1


def test_capture_holds_every_frame(three, tmp_path):
    three.command({"op": "capture", "path": str(tmp_path / "x.pcap")})
    three.frame(1, frame(1, 2, b"planted" + bytes(50)), 0.0)
    three.command({"op": "capture"})
    data = (tmp_path / "x.pcap").read_bytes()
    assert data[:4] == struct.pack("<I", 0xa1b2c3d4) and data.count(b"planted") == 1


def said(source, target, data, port=switch.CLUSTER_PORT):
    ips = [packets.ip_bytes(f"10.0.0.{node}") for node in (source, target)]
    return packets.ethernet(MACS[target], MACS[source], 0x0800, packets.udp(ips[0], 40000, ips[1], port, data))


def test_altered_frames_differ_in_one_bit_and_have_a_right_checksum(three):
    learn(three)
    three.command({"op": "alter", "from": 1, "to": 2, "percent": 100, "one_way": True})
    body = bytes(range(101))
    for raw in (said(1, 2, body), said(1, 2, body, port=53), said(1, 2, b""), said(2, 1, body), frame(1, 2)):
        three.frame(1 if raw[6:12] == MACS[1] else 2, raw, 0.0)
    changed, *rest = received(three, 2)
    assert rest == [said(1, 2, body, port=53), said(1, 2, b""), frame(1, 2)] and received(three, 1) == [said(2, 1, body)]
    got = udp_payload(changed).data
    assert sum((a ^ b).bit_count() for a, b in zip(got, body, strict=True)) == 1
    segment = packets.Ipv4Packet(changed[14:]).payload
    assert packets.checksum(changed[26:34] + struct.pack(">BBH", 0, 17, len(segment)) + segment) == 0
    assert {(link["from"], link["to"]) for link in three.command({"op": "links"})["links"] if link["altered"]} == {(1, 2)}
    three.command({"op": "heal"})
    three.frame(1, said(1, 2, body), 0.0)
    assert received(three, 2) == [said(1, 2, body)]


def test_replay_sends_the_clusters_frames_of_one_link_again(three):
    learn(three)
    for raw in (said(1, 2, b"a"), said(1, 2, b"dns", port=53), said(1, 3, b"b"), frame(1, 2), said(1, 2, b"c")):
        three.frame(1, raw, 0.0)
    for number in (2, 3):
        received(three, number)
    for _ in range(2):  # what was replayed is not heard as new
        assert three.command({"op": "replay", "from": 1, "to": 2}) == {"frames": 2}
        assert received(three, 2) == [said(1, 2, b"a"), said(1, 2, b"c")] and received(three, 3) == []
    assert three.command({"op": "replay", "from": 2, "to": 1, "one_way": True}) == {"frames": 0}


@pytest.mark.parametrize("junk", [b"", b"\x45", b"\x4f" + bytes(8) + b"\x11" + bytes(10), b"\x45" + bytes(8) + b"\x11" + bytes(10) +
                                  struct.pack(">HHHH", 7447, 7447, 9, 0), bytes(60)])
def test_a_broken_datagram_is_none_of_the_clusters(junk):
    assert packets.udp_payload_span(packets.ethernet(MACS[1], MACS[2], 0x0800, junk), 7447) is None


# ---- the gateway ----

def udp_to_gateway(node, source_port, port, data):
    source = packets.ip_bytes(f"10.0.0.{node}")
    return packets.ethernet(gateway.GATEWAY_MAC, MACS[node], packets.ETHERTYPE_IPV4,
                            packets.udp(source, source_port, GATEWAY_IP, port, data))


def udp_payload(raw):
    datagram = packets.UdpDatagram(packets.Ipv4Packet(raw[14:]))
    assert datagram.valid
    return datagram


def test_arp_and_ping():
    gate = gateway.Gateway(settings())
    me = packets.ip_bytes("10.0.0.1")
    ask = gateway.ARP.pack(1, 0x0800, 6, 4, 1, MACS[1], me, bytes(6), GATEWAY_IP)
    answer, = gate.frame(packets.ethernet(packets.BROADCAST_MAC, MACS[1], 0x0806, ask), 0.0)
    assert answer[:6] == MACS[1] and gateway.ARP.unpack(answer[14:])[4:7] == (2, gateway.GATEWAY_MAC, GATEWAY_IP)
    echo = bytes([8, 0, 0, 0]) + b"\0\1\0\2payload"
    echo = echo[:2] + struct.pack(">H", packets.checksum(echo)) + echo[4:]
    answer, = gate.frame(packets.ethernet(gateway.GATEWAY_MAC, MACS[1], 0x0800, packets.ipv4(me, GATEWAY_IP, 1, echo)), 0.0)
    packet = packets.Ipv4Packet(answer[14:])
    assert packet.valid and packet.payload[0] == 0 and packet.payload[4:] == echo[4:]
    assert packets.checksum(packet.payload) == 0


def dhcp_request(kind, mac, **options):
    head = dhcp.HEAD.pack(1, 1, 6, 0, 0x1234, 0, 0, bytes(4), bytes(4), bytes(4), bytes(4), mac + bytes(10), b"", b"")
    pairs = [(53, bytes([kind]))] + [(int(code[1:]), value) for code, value in options.items()]
    return head + dhcp.COOKIE + dhcp.encode_options(pairs)


def ask_dhcp(gate, data):
    answers = gate.frame(packets.ethernet(packets.BROADCAST_MAC, MACS[1], 0x0800,
                                          packets.udp(bytes(4), 68, b"\xff" * 4, 67, data)), 0.0)
    return [(dhcp.HEAD.unpack_from(udp_payload(raw).data), dhcp.decode_options(udp_payload(raw).data[240:]))
            for raw in answers]


def test_dhcp_gives_each_mac_its_address_again_and_again():
    gate = gateway.Gateway(settings())
    for node in (2, 1, 2):
        (head, options), = ask_dhcp(gate, dhcp_request(1, MACS[node]))
        assert packets.ip_text(head[8]) == f"10.0.0.{node}" and options[53] == b"\2" and options[54] == GATEWAY_IP
        (head, options), = ask_dhcp(gate, dhcp_request(3, MACS[node], o50=head[8], o54=GATEWAY_IP))
        assert options[53] == b"\5" and options[1] == packets.ip_bytes("255.255.255.0")
    stranger = packets.mac_bytes("52:54:00:00:00:09")
    (head, _), = ask_dhcp(gate, dhcp_request(1, stranger))
    assert packets.ip_text(head[8]) == "10.0.0.100"


def test_dhcp_refuses_a_wrong_address_and_ignores_others():
    gate = gateway.Gateway(settings())
    (_, options), = ask_dhcp(gate, dhcp_request(3, MACS[1], o50=packets.ip_bytes("10.0.0.77")))
    assert options[53] == b"\6"
    assert ask_dhcp(gate, dhcp_request(3, MACS[1], o54=packets.ip_bytes("10.0.0.9"))) == []
    assert ask_dhcp(gate, dhcp_request(1, MACS[1])[:200]) == []
    assert ask_dhcp(gate, dhcp_request(1, MACS[1])[:-3] + b"\x35\xff") == []


def test_dhcp_tells_uefi_machines_their_boot_file():
    gate = gateway.Gateway(settings())
    (head, options), = ask_dhcp(gate, dhcp_request(1, MACS[1], o93=b"\0\7"))
    assert head[13].rstrip(b"\0") == b"BOOTX64.EFI" and options[67] == b"BOOTX64.EFI" and head[9] == GATEWAY_IP
    (head, options), = ask_dhcp(gate, dhcp_request(1, MACS[1]))
    assert 67 not in options


# ---- TFTP ----

class Client:
    """Fetches a file the way firmware does; loses every `lose`-th datagram of the server when told so."""

    def __init__(self, server, lose=0):
        self.server, self.lose, self.seen, self.now = server, lose, 0, 0.0

    def deliver(self, datagrams):
        for datagram in datagrams:
            self.seen += 1
            if not self.lose or self.seen % self.lose:
                yield datagram

    def fetch(self, name, options=()):
        request = struct.pack(">H", 1) + b"\0".join([name.encode(), b"octet"] + [o.encode() for o in options]) + b"\0"
        incoming = list(self.deliver(self.server.request("me", request, self.now)))
        got, expected, blksize = bytearray(), 1, 512
        while True:
            if not incoming:
                self.now += tftp.RETRY_S
                incoming = list(self.deliver([d for _, d in self.server.tick(self.now)]))
                continue
            data = incoming.pop(0)
            opcode, = struct.unpack_from(">H", data)
            if opcode == 5:
                raise FileNotFoundError(data[4:-1].decode())
            if opcode == 6:
                words = data[2:].split(b"\0")
                blksize = int(dict(zip(words[::2], words[1::2])).get(b"blksize", 512))
                acknowledged = 0
            else:
                number, = struct.unpack_from(">H", data, 2)
                if number != expected & 0xffff:
                    continue
                got += data[4:]
                acknowledged, expected = expected, expected + 1
            incoming += self.deliver(self.server.datagram("me", struct.pack(">HH", 4, acknowledged & 0xffff), self.now))
            if opcode == 3 and len(data) - 4 < blksize:
                return bytes(got)


@pytest.fixture
def served(tmp_path):
    data = bytes(i * 7 % 251 for i in range(300000))
    (tmp_path / "f").write_bytes(data)
    (tmp_path / "even").write_bytes(data[:2 * 1468])
    return tftp.TftpServer({"shoal.img": str(tmp_path / "f"), "even": str(tmp_path / "even")}), data


@pytest.mark.parametrize("options", [(), ("blksize", "1468"), ("blksize", "9000", "tsize", "0"),
                                     ("blksize", "1024", "windowsize", "8")])
@pytest.mark.parametrize("lose", [0, 7])
def test_tftp_delivers_the_file(served, options, lose):
    server, data = served
    assert Client(server, lose).fetch("shoal.img", options) == data
    assert server.transfers == {}


def test_tftp_ends_a_file_of_whole_blocks_with_an_empty_one(served):
    server, data = served
    assert Client(server).fetch("even", ("blksize", "1468")) == data[:2 * 1468]


def test_tftp_block_numbers_wrap(tmp_path):
    data = bytes(range(256)) * 3000
    (tmp_path / "big").write_bytes(data)
    assert Client(tftp.TftpServer({"big": str(tmp_path / "big")})).fetch("big", ("blksize", "8")) == data


def test_tftp_serves_nothing_else(served):
    server, _ = served
    for name in ("../../etc/passwd", "/etc/passwd", "key"):
        with pytest.raises(FileNotFoundError, match="no file"):
            Client(server).fetch(name)
    refused, = server.request("me", struct.pack(">H", 2) + b"x\0octet\0", 0.0)
    assert refused[:4] == struct.pack(">HH", 5, 2)


def test_tftp_client_that_leaves_is_forgotten(served):
    server, _ = served
    server.request("me", struct.pack(">H", 1) + b"shoal.img\0octet\0tsize\0" + b"0\0", 0.0)
    assert len(server.transfers) == 1
    server.datagram("me", struct.pack(">HH", 5, 8) + b"aborted\0", 0.0)
    assert server.transfers == {}
    server.request("me", struct.pack(">H", 1) + b"shoal.img\0octet\0", 0.0)
    for i in range(1, 2 + tftp.TRIES_MAX):
        server.tick(i * tftp.RETRY_S)
    assert server.transfers == {}


@pytest.mark.parametrize("junk", [b"", b"\0", b"\0\1", b"\0\1name", bytes(2000), b"\xff" * 60])
def test_gateway_bears_junk(junk):
    gate = gateway.Gateway(settings())
    for port in (67, 69, 40000):
        gate.frame(udp_to_gateway(1, 1000, port, junk), 0.0)
    for ethertype in (0x0800, 0x0806):
        assert gate.frame(packets.ethernet(gateway.GATEWAY_MAC, MACS[1], ethertype, junk), 0.0) == []
