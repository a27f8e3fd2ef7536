"""The disk that loses power honestly, and the NBD protocol around it."""
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile

import pytest

from shoalcluster import badness, disk, nbd

SIZE = 1 << 20


def block(byte, sectors=1):
    return bytes([byte]) * (disk.SECTOR * sectors)


@pytest.fixture
def made(tmp_path):
    result = disk.Disk(str(tmp_path / "d"), SIZE, "seed")
    yield result
    result.close()


def medium(made, offset, length):
    with open(made.path, "rb") as stream:
        stream.seek(offset)
        return stream.read(length)


def test_unflushed_writes_are_read_back_but_not_on_the_medium(made):
    made.write(1024, block(1, 2))
    made.write(1536, block(2))
    assert made.read(512, 2048) == block(0) + block(1) + block(2) + block(0)
    assert medium(made, 1024, 1024) == bytes(1024)
    made.flush()
    assert medium(made, 1024, 1024) == block(1) + block(2)


def test_flushed_writes_survive_a_power_cut(made):
    made.write(0, block(7, 8))
    made.flush()
    made.write(0, block(8))
    made.cut_power()
    assert made.read(512, 512) == block(7)


def test_the_worst_power_cut_drops_all(made):
    made.fate = "dropped"
    for i in range(100):
        made.write(i * 512, block(i + 1))
    made.cut_power()
    assert medium(made, 0, 100 * 512) == bytes(100 * 512)


def fates(tmp_path, seed):
    made = disk.Disk(str(tmp_path / f"d{seed}"), SIZE, seed)
    for i in range(100):
        made.write(i * 8192, block(i + 1, 16))
    made.cut_power()
    result = []
    for i in range(100):
        data = made.read(i * 8192, 8192)
        kept = sum(data[s * 512] == i + 1 for s in range(16))
        assert data == block(i + 1, kept) + block(0, 16 - kept)  # a torn write keeps its beginning
        result.append(kept)
    made.close()
    return result


def test_power_cut_keeps_drops_and_tears_by_the_seed(tmp_path):
    first = fates(tmp_path, "a")
    assert 0 in first and 16 in first and any(0 < kept < 16 for kept in first)
    os.unlink(tmp_path / "da")
    assert fates(tmp_path, "a") == first and fates(tmp_path, "b") != first


def test_durable_write_is_not_undone_by_an_older_one(tmp_path):
    for seed in range(20):
        made = disk.Disk(str(tmp_path / f"d{seed}"), SIZE, seed)
        made.write(0, block(1, 2))
        made.write(512, block(9), durable=True)
        assert made.read(0, 1024) == block(1) + block(9)
        made.cut_power()
        assert made.read(512, 512) == block(9)
        made.close()


def test_cache_has_an_end(made, monkeypatch):
    monkeypatch.setattr(disk, "PENDING_BYTES_MAX", 2048)
    for i in range(8):
        made.write(i * 512, block(i + 1))
    assert medium(made, 0, 2048) == b"".join(block(i + 1) for i in range(4)) and made.pending_bytes == 2048


def test_blank_disk_is_zeroes(made):
    made.write(0, block(1))
    made.flush()
    made.write(512, block(2))
    made.blank()
    assert made.read(0, SIZE) == bytes(SIZE)


# ---- bad disks ----

def test_an_image_is_what_the_medium_held(made, tmp_path):
    made.write(0, block(1))
    made.flush()
    made.write(512, block(2))
    made.save(str(tmp_path / "image"))
    made.write(0, block(3))
    made.flush()
    made.write(1024, block(4))
    made.restore(str(tmp_path / "image"))
    assert made.read(0, SIZE) == block(1) + bytes(SIZE - 512)
    made.cut_power()
    assert made.read(1024, 512) == block(0)


def test_damage_flips_one_byte_in_used_sectors_by_the_seed(made):
    for i in range(40):
        made.write(200 * 512 * i, block(i + 1))
    made.flush()
    before = made.read(0, SIZE)
    places = badness.damage(made, 100 * 512, 500 * 512, 5, 7)
    after = made.read(0, SIZE)
    assert [i for i in range(SIZE) if before[i] != after[i]] == places
    assert len(places) == 2 and all(place // 512 in (200, 400) for place in places)
    assert badness.damage(made, 100 * 512, 500 * 512, 5, 7) == places and made.read(0, SIZE) == before
    made.cut_power()
    assert made.read(0, SIZE) == before
    assert badness.damage(made, 512, 1024, 1, 1) == []


def test_requests_fail_so_often_and_until_healed():
    bad = badness.Badness()
    bad.fail("flush", 2)
    bad.fail("read")
    bad.full_from = 4096
    bad.delay_ms = 5
    assert bad.words() == ["each request takes 5 ms longer", "each flush fails (2 more)", "each read fails", "no room from byte 4096 on"]
    for kind, offset, full in (("flush", 0, False), ("flush", 0, False), ("read", 0, False), ("write", 3584, True)):
        with pytest.raises(badness.Failing) as failing:
            bad.check(kind, offset, 1024)
        assert failing.value.full == full
    bad.check("flush")
    bad.check("write", 0, 4096)
    bad.heal()
    bad.check("read")
    assert bad.words() == []
    with pytest.raises(ValueError):
        bad.fail("trim")


def test_areas_are_those_of_the_log():
    text = (pathlib.Path(__file__).parents[3] / "user/servers/logstore/layout.h").read_text()
    assert "RECORDS_START      131072u" in text and "RECORDS_MIN        (1024u * 1024u)" in text
    assert badness.areas(64 << 20) == {"superblocks": (0, 128 << 10), "log": (128 << 10, (128 << 10) + (16 << 20)),
                                       "snapshots": ((128 << 10) + (16 << 20), 64 << 20), "all": (0, 64 << 20)}


# ---- the process ----

@pytest.fixture
def server():
    with tempfile.TemporaryDirectory(prefix="shoal-t") as folder:
        environment = dict(os.environ, PYTHONPATH=os.path.dirname(os.path.dirname(nbd.__file__)))
        process = subprocess.Popen([sys.executable, "-m", "shoalcluster.nbd", folder], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, env=environment, text=True)
        process.stdin.write(json.dumps({"seed": 1, "disks": [{"number": 1, "path": f"{folder}/d.img", "size": SIZE}]}))
        process.stdin.close()
        assert process.stdout.readline() == "ready\n"
        yield folder
        process.kill()
        process.wait()
        process.stdout.close()


def command(folder, **words):
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(f"{folder}/disks")
        control.sendall(json.dumps(words).encode() + b"\n")
        return json.loads(control.makefile().readline())


def qemu_io(folder, *commands):
    words = [part for text in commands for part in ("-c", text)]
    return subprocess.run(["qemu-io", "-f", "raw", "-t", "writeback", *words, f"nbd+unix:///?socket={folder}/disk1"],
                          capture_output=True, text=True, timeout=60, check=False)


def test_qemu_speaks_with_it(server):
    done = qemu_io(server, "write -P 0x5a 4096 8192", "read -P 0x5a 4096 8192", "flush", "write -f -P 3 0 512")
    assert done.returncode == 0 and "Pattern verification failed" not in done.stdout, done.stdout + done.stderr
    done = qemu_io(server, "read -P 0x5a 4096 8192", "read -P 0 16384 4096", "read -P 3 0 512")
    assert done.returncode == 0 and "failed" not in done.stdout
    assert command(server, op="counts", disk=1)["counts"]["flushes"] >= 1
    assert command(server, op="blank", disk=1)["ok"]
    assert "failed" not in qemu_io(server, "read -P 0 0 65536").stdout
    assert not command(server, op="cut", disk=2)["ok"]


def test_a_bad_disk_says_so_to_its_machine(server):
    assert command(server, op="fail", disk=1, kind="write")["words"] == ["each write fails"]
    assert "Input/output error" in qemu_io(server, "write -P 1 0 512").stdout
    assert command(server, op="heal", disk=1)["words"] == []
    assert command(server, op="full", disk=1, **{"from": 8192})["ok"]
    assert "No space left" in qemu_io(server, "write -P 1 8192 512").stdout
    assert qemu_io(server, "write -P 1 0 8192", "flush").returncode == 0
    command(server, op="fail", disk=1, kind="flush", times=1)
    assert qemu_io(server, "flush").returncode != 0
    assert command(server, op="damage", disk=1, range=[0, 512])["places"] != []
    assert "failed" in qemu_io(server, "read -P 1 0 512").stdout
    for wrong in ({"op": "fail", "kind": "trim"}, {"op": "damage", "range": [0, SIZE + 1]}, {"op": "damage", "area": "x"}):
        assert not command(server, disk=1, **wrong)["ok"]


def test_a_stalled_disk_waits_and_a_power_cut_loses_what_waited(server):
    command(server, op="stall", disk=1)
    words = ["-c", "write -P 9 0 512", "-c", "flush", f"nbd+unix:///?socket={server}/disk1"]
    with subprocess.Popen(["qemu-io", "-f", "raw", "-t", "writeback", *words], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1)
        command(server, op="cut", disk=1)
        waiting.kill()
    command(server, op="heal", disk=1)
    done = qemu_io(server, "read -P 0 0 512")
    assert done.returncode == 0 and "failed" not in done.stdout
    assert command(server, op="counts", disk=1)["counts"]["writes"] == 0


@pytest.mark.parametrize("junk", [bytes(64), b"\xff" * 64, struct.pack(">I", 3) + b"IHAVEOPT" + b"\xff" * 8])
def test_it_bears_junk(server, junk):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{server}/disk1")
        client.sendall(junk)
        client.shutdown(socket.SHUT_WR)
        while client.recv(4096):
            pass
    assert qemu_io(server, "write -P 1 0 512").returncode == 0


def test_requests_outside_the_disk_are_refused(server):
    assert nbd.perform(disk.Disk(f"{server}/other", SIZE, 1), nbd.COMMAND_READ, 0, SIZE, 512, b"")[0] == nbd.EINVAL
    assert nbd.perform(disk.Disk(f"{server}/other", SIZE, 1), nbd.COMMAND_WRITE, 0, SIZE, 512, block(1))[0] == nbd.ENOSPC
    assert nbd.perform(disk.Disk(f"{server}/other", SIZE, 1), nbd.COMMAND_READ, 0, 5, 512, b"")[0] == nbd.EINVAL
