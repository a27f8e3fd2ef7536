"""The machine behind port 0 of the switch: answers ARP, ping, DHCP and TFTP. Frames and the time in, frames out."""
import struct

from . import dhcp, packets, tftp

GATEWAY_MAC = packets.mac_bytes("52:54:00:53:48:fe")
DHCP_SERVER_PORT, DHCP_CLIENT_PORT, TFTP_PORT = 67, 68, 69
TFTP_DATA_PORT_BASE = 40000
ICMP_ECHO_REPLY, ICMP_ECHO = 0, 8
ARP = struct.Struct(">HHBBH6s4s6s4s")


class Gateway:
    """settings: address, netmask, pool, hosts {mac: address}, bootfile, files {name: path}; all as text."""

    def __init__(self, settings):
        self.address = packets.ip_bytes(settings["address"])
        fixed = {packets.mac_bytes(mac): packets.ip_bytes(ip) for mac, ip in settings["hosts"].items()}
        self.dhcp = dhcp.DhcpServer(self.address, packets.ip_bytes(settings["netmask"]), fixed,
                                    packets.ip_bytes(settings["pool"]), settings.get("bootfile"))
        self.tftp = tftp.TftpServer(settings.get("files", {}))
        self.ports = {}    # (client MAC, address, port) -> own port of the transfer
        self.next_port = 0

    def frame(self, raw, now):
        """Answers to one frame."""
        if len(raw) < 14 or raw[:6] not in (GATEWAY_MAC, packets.BROADCAST_MAC):
            return []
        ethertype, = struct.unpack_from(">H", raw, 12)
        if ethertype == packets.ETHERTYPE_ARP:
            return self.arp(raw[14:])
        if ethertype != packets.ETHERTYPE_IPV4:
            return []
        packet = packets.Ipv4Packet(raw[14:])
        if not packet.valid:
            return []
        if packet.protocol == packets.PROTOCOL_ICMP:
            return self.ping(raw[6:12], packet)
        datagram = packets.UdpDatagram(packet)
        return self.datagram(raw[6:12], packet, datagram, now) if datagram.valid else []

    def arp(self, raw):
        if len(raw) < ARP.size:
            return []
        hardware, protocol, _, _, operation, mac, ip, _, target = ARP.unpack_from(raw)
        if (hardware, protocol, operation) != (1, packets.ETHERTYPE_IPV4, 1) or target != self.address:
            return []
        answer = ARP.pack(1, packets.ETHERTYPE_IPV4, 6, 4, 2, GATEWAY_MAC, self.address, mac, ip)
        return [packets.ethernet(mac, GATEWAY_MAC, packets.ETHERTYPE_ARP, answer)]

    def ping(self, mac, packet):
        if packet.destination != self.address or len(packet.payload) < 8 or packet.payload[0] != ICMP_ECHO:
            return []
        body = bytes([ICMP_ECHO_REPLY, 0, 0, 0]) + packet.payload[4:]
        body = body[:2] + struct.pack(">H", packets.checksum(body)) + body[4:]
        return [self.ip_frame(mac, packets.ipv4(self.address, packet.source, packets.PROTOCOL_ICMP, body))]

    def datagram(self, mac, packet, datagram, now):
        if datagram.port == DHCP_SERVER_PORT:
            return self.dhcp_answer(mac, datagram.data)
        if packet.destination != self.address:
            return []
        key = (mac, packet.source, datagram.source_port)
        if datagram.port == TFTP_PORT:
            self.ports[key] = TFTP_DATA_PORT_BASE + self.next_port % 20000
            self.next_port += 1
            return [self.tftp_frame(key, data) for data in self.tftp.request(key, datagram.data, now)]
        if self.ports.get(key) == datagram.port:
            return [self.tftp_frame(key, data) for data in self.tftp.datagram(key, datagram.data, now)]
        return []

    def dhcp_answer(self, mac, data):
        answer = self.dhcp.answer(data)
        if answer is None:
            return []
        payload, _, _ = answer
        # Always broadcast: a client without an address cannot answer ARP for it.
        packet = packets.udp(self.address, DHCP_SERVER_PORT, b"\xff" * 4, DHCP_CLIENT_PORT, payload)
        return [packets.ethernet(packets.BROADCAST_MAC, GATEWAY_MAC, packets.ETHERTYPE_IPV4, packet)]

    def tftp_frame(self, key, data):
        mac, address, port = key
        return self.ip_frame(mac, packets.udp(self.address, self.ports[key], address, port, data))

    @staticmethod
    def ip_frame(mac, packet):
        return packets.ethernet(mac, GATEWAY_MAC, packets.ETHERTYPE_IPV4, packet)

    def tick(self, now):
        """Frames whose time has come."""
        frames = [self.tftp_frame(key, data) for key, data in self.tftp.tick(now)]
        if len(self.ports) > 4 * tftp.SESSIONS_MAX:
            self.ports = {key: port for key, port in self.ports.items() if key in self.tftp.transfers}
        return frames

    def next_due(self):
        return self.tftp.next_due()
