"""Drivers and the network server, from outside: nodes in QEMU that are told what to do through the agent on COM2."""
import os
import pathlib
import re
import select
import socket
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
from shoalcluster import agent  # noqa: E402

BUILD = pathlib.Path(os.environ.get("BUILD", "build"))
HANG_S = 90


class Node:
    """One machine. COM1 goes to a file, COM2 is the agent's."""

    def __init__(self, name, folder, config, *arguments):
        self.console = folder / f"{name}.log"
        self.next_id = 0
        self.decoder = agent.Decoder()
        config += "\nagent = com2"
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-name", name, "-machine", "q35", "-cpu", "max", "-accel", "tcg", "-m", "256",
             "-nodefaults", "-display", "none", "-no-reboot", "-serial", f"file:{self.console}", "-serial", "stdio",
             "-kernel", str(BUILD / "kernel.elf"), "-initrd", str(BUILD / "shoal.img"),
             "-fw_cfg", f"name=opt/shoal/conf,string={config.replace(',', ',,')}", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.events = []
        self.wait_for(lambda event: event[0] == "ready")

    def wait_for(self, wanted):
        """The first event that is wanted; those before it are dropped."""
        end = time.monotonic() + HANG_S
        while True:
            while self.events:
                event = self.events.pop(0)
                if wanted(event):
                    return event
            left = end - time.monotonic()
            readable, _, _ = select.select([self.process.stdout], [], [], max(left, 0))
            assert readable, f"nothing came; console:\n{self.console.read_text(errors='replace')}"
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, "the machine ended:\n" + self.console.read_text(errors="replace")
            self.events += self.decoder.feed(data)

    def start(self, command):
        self.next_id += 1
        self.process.stdin.write(agent.request(self.next_id, command))
        self.process.stdin.flush()

    def finish(self):
        """(exit status, output) of what was started last."""
        text = b""
        while True:
            event = self.wait_for(lambda event: event[0] in ("out", "exit") and event[1] == self.next_id)
            if event[0] == "exit":
                return event[2], text.decode(errors="replace")
            text += event[2]

    def run(self, command):
        self.start(command)
        return self.finish()

    def until(self, command, wanted):
        """Runs a command until its output matches; for what needs a moment to come about."""
        end = time.monotonic() + HANG_S
        while True:
            _, text = self.run(command)
            if re.search(wanted, text):
                return text
            assert time.monotonic() < end, text
            self.run("sleep 1")

    def end(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def nodes(tmp_path):
    """Starts nodes; ends them after the test."""
    running = []

    def start(name, config, *arguments):
        running.append(Node(name, tmp_path, config, *arguments))
        return running[-1]

    yield start
    for node in running:
        node.end()


def card(netdev, number):
    return ("-netdev", f"{netdev},id=n0", "-device",
            f"virtio-net-pci,netdev=n0,disable-legacy=on,romfile=,mac=52:54:00:00:00:{number:02x}")


def disk(path):
    return ("-drive", f"if=none,id=d0,format=raw,file={path}", "-device", "virtio-blk-pci,drive=d0,disable-legacy=on")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture
def pair(nodes):
    """Two nodes on one wire."""
    port = free_port()
    first = nodes("one", "address = 10.0.0.1/24", *card(f"socket,listen=127.0.0.1:{port}", 1))
    second = nodes("two", "address = 10.0.0.2/24", *card(f"socket,connect=127.0.0.1:{port}", 2))
    first.until("ifconfig", r"10\.0\.0\.1, link up")
    second.until("ifconfig", r"10\.0\.0\.2, link up")
    return first, second


def moved(text):
    """(bytes, hash) that blast reports."""
    match = re.search(r"(?:sent|received) (\d+) bytes, sha256 ([0-9a-f]{64})", text)
    assert match, text
    return int(match[1]), match[2]


def test_a_node_without_disk_and_card_says_so(nodes):
    node = nodes("bare", "")
    text = node.until("service", r"logstore +running.*\n.*net +running")
    assert "there is no log disk" in text
    assert "no network card" in text
    status, text = node.run("ping 127.0.0.1 1")
    assert status == 0 and "1 of 1 answered" in text


def test_an_address_by_dhcp(nodes):
    node = nodes("leased", "address = dhcp", *card("user", 1))
    text = node.until("ifconfig", r"10\.0\.2\.15, link up")
    assert "gateway 10.0.2.2" in text
    status, text = node.run("ping 10.0.2.2 2")
    assert status == 0, text


def test_ping_both_ways_and_an_absent_machine(pair):
    first, second = pair
    assert first.run("ping 10.0.0.2 2")[0] == 0
    assert second.run("ping -s 1400 10.0.0.1 2")[0] == 0
    status, text = first.run("ping 10.0.0.77 1")
    assert status == 1 and "0 of 1 answered" in text


def test_a_hundred_megabytes_arrive_as_they_were(pair):
    first, second = pair
    first.start("blast -l 5000")
    status, text = second.run("sleep 1; blast 10.0.0.1 5000 100")
    assert status == 0, text
    status, other = first.finish()
    assert status == 0, other
    assert moved(text) == moved(other)
    assert moved(text)[0] == 100 << 20


def test_a_killed_card_driver_costs_a_pause(pair):
    first, second = pair
    first.start("blast -l 5000")
    status, text = second.run("sh -c 'sleep 3; service stop virtio_net0' & sleep 1; blast 10.0.0.1 5000 30")
    assert status == 0, text
    status, other = first.finish()
    assert status == 0, other
    assert moved(text) == moved(other)
    second.until("service", r"virtio_net0 +running +[\d.]+ +1 ")


def test_a_killed_network_server_refuses_honestly_and_comes_back(pair):
    first, second = pair
    first.start("blast -l 5000")
    status, text = second.run("sh -c 'sleep 3; service stop net' & sleep 1; blast 10.0.0.1 5000 2000")
    assert status != 0 and "blast: sending" in text
    second.until("service", r"net +running +[\d.]+ +1 ")
    second.until("ifconfig", r"10\.0\.0\.2, link up")
    second.run("ping 10.0.0.1 1")
    status, text = second.run("blast 10.0.0.1 5001 1")
    assert status != 0 and "refused" in text


def test_a_killed_disk_driver_is_found_again(nodes, tmp_path):
    image = tmp_path / "disk.img"
    with open(image, "wb") as f:
        f.truncate(16 << 20)
    node = nodes("disk", "", *disk(image))
    node.until("service", "the log disk is blank")
    assert node.run("service stop virtio_blk0")[0] == 0
    node.until("service", r"virtio_blk0 +running +[\d.]+ +1 ")
    assert node.run("service stop logstore")[0] == 0
    node.until("service", r"logstore +running +[\d.]+ +1 .*the log disk is blank")


def test_a_disk_of_somebody_else_is_left_alone(nodes, tmp_path):
    image = tmp_path / "disk.img"
    content = bytearray(16 << 20)
    content[510:512] = b"\x55\xaa"
    image.write_bytes(content)
    node = nodes("foreign", "", *disk(image))
    node.until("service", "there is no log disk")
    assert image.read_bytes() == bytes(content)


def test_a_killed_serial_driver_comes_back(nodes):
    node = nodes("serial", "")
    assert node.run("service stop serial0")[0] == 0
    node.until("service", r"serial0 +running +[\d.]+ +1 ")
    node.run("log > /dev/null")
    assert node.run("echo still here")[1] == "still here\n"


def test_the_example_driver_gives_random_bytes(nodes):
    node = nodes("random", "", "-device", "virtio-rng-pci,disable-legacy=on")
    node.until("service", r"example0 +running")
    status, text = node.run("head -n 20 /svc/random > /tmp/b; hash /tmp/b; wc -c < /tmp/b")
    assert status == 0 and int(text.split()[-1]) > 500, text
    again = node.run("head -n 20 /svc/random > /tmp/d; hash /tmp/d")[1]
    assert text.split()[0] != again.split()[0]


CLUSTER_OF_ONE = "cluster = test\nvoters = 52:54:00:00:00:01\naddress = 10.0.0.1/24"


def member(nodes, folder, name, config):
    """A node that is a cluster by itself, its log on folder/disk.img."""
    key, image = folder / "key", folder / "disk.img"
    if not image.exists():
        key.write_bytes(bytes(range(32)))
        with open(image, "wb") as f:
            f.truncate(32 << 20)
    node = nodes(name, config, *card("user", 1), *disk(image), "-fw_cfg", f"name=opt/shoal/key,file={key}")
    node.until("status", r"cluster +test: member")
    return node


def test_what_was_put_survives_logstore_its_driver_and_the_machine(nodes, tmp_path):
    node = member(nodes, tmp_path, "first", CLUSTER_OF_ONE + "\ngenesis = yes")
    assert node.run("put a 1; put b 2")[0] == 0
    assert node.run("service stop logstore")[0] == 0
    node.until("put c 3 && echo done", "done")
    assert node.run("service stop virtio_blk0")[0] == 0
    node.until("put d 4 && echo done", "done")
    node.until("service", r"logstore +running +[\d.]+ +2 .*the log is valid")
    node.end()
    again = member(nodes, tmp_path, "second", CLUSTER_OF_ONE)
    for key, value in zip("abcd", "1234"):
        assert again.run(f"get {key}") == (0, value + "\n")
