"""Boot: every door leads to a running kernel, and what is wrong is said with what, where and what to do."""
import os
import shutil

import pytest

import machine
from shoalcluster import qemu

HANG_S = float(os.environ.get("HANG_S", "300"))  # limits only detect hangs
KERNEL_RUNS = r"Shoal: \d+ MiB of memory, door (\d)"
SCREEN = {"1": {"extra": ["-device", "VGA"]}}


def all_words(cluster, *words, limit=HANG_S):
    """The console says all of these, in this order."""
    position = 0
    for word in words:
        position = cluster.expect(1, word, since=position, limit=limit)["end"]


@pytest.mark.parametrize("boot,door", [("uefi", "1"), ("pxe", "2"), ("pvh", "3")])
def test_each_door(node, boot, door):
    cluster = node(boot=boot)
    assert cluster.expect(1, KERNEL_RUNS, limit=HANG_S)["groups"] == [door]


def test_kernel_draws_on_the_screen(node, logs):
    cluster = node(boot="uefi", node_settings=SCREEN, conf=[(0, "console = both"), (0, "bogus = 1")])
    all_words(cluster, KERNEL_RUNS, "the boot stops", "what to do")
    cluster.wait_until(lambda: machine.lit_pixels(cluster, 1, logs / "screen.ppm") > 1000, "text on the screen", HANG_S)


# ---- the loader's own stops ----

def stopped_loader(node, logs, **media):
    disk = machine.disk_with(logs / "disk.img", **media)
    return node(boot="uefi", node_settings={"1": {"disk_image": disk, "extra": ["-device", "VGA"]}})


@pytest.mark.parametrize("where", ["header", "table", "kernel", "bin/supervisor"])
def test_loader_stops_at_a_damaged_bundle(node, logs, where):
    parts = {part.name: part for part in machine.bundle_parts()}
    position = {"header": 20, "table": 128 + 70}.get(where) or parts[where].offset + parts[where].bytes // 2
    cluster = stopped_loader(node, logs, bundle=machine.flipped(position))
    all_words(cluster, "Shoal cannot start:.*" + where, "where: .*shoal.img", "to do: ", "Press a key")
    assert machine.lit_pixels(cluster, 1, logs / "screen.ppm") > 1000


def test_loader_stops_without_a_bundle(node, logs):
    all_words(stopped_loader(node, logs, bundle=False), "Shoal cannot start: there is no file shoal.img",
              "where: the boot disk", "to do: ")


def test_loader_stops_without_a_configuration(node, logs):
    all_words(stopped_loader(node, logs, config=False), "Shoal cannot start: there is no file shoal.conf",
              "where: the boot disk", "to do: ")


def test_loader_stops_at_a_cut_off_bundle(node, logs):
    all_words(stopped_loader(node, logs, bundle=machine.bundle_bytes()[:-4096]), "Shoal cannot start:.*cut off", "to do: ")


def test_loader_stops_at_a_key_of_wrong_length(node, logs):
    all_words(stopped_loader(node, logs, key=b"too short"), "Shoal cannot start: the cluster key is not 32 bytes long",
              "where: shoal.key", "to do: ")


@pytest.mark.parametrize("media,words", [
    ({"bundle": False}, "there is no file shoal.img"),
    ({"config": False}, "there is no file shoal.conf"),
    ({"bundle": "damaged"}, "'kernel' is damaged"),
])
def test_loader_stops_over_pxe(node, logs, media, words):
    if media.get("bundle") == "damaged":
        kernel = next(part for part in machine.bundle_parts() if part.name == "kernel")
        media = {"bundle": machine.flipped(kernel.offset + 100)}
    cluster = node(boot="pxe", tftp=machine.build_with(logs / "tftp", **media))
    all_words(cluster, "Shoal cannot start: .*" + words, "where: ", "to do: ")


# ---- the key in the firmware ----

def test_a_key_that_the_firmware_keeps(start, logs):
    """A disk with the key is put in once; then the machine has it without that disk, over PXE too, until it is told to forget it."""
    variables, key, other = logs / "variables", os.urandom(32), os.urandom(32)
    shutil.copy(qemu.firmware()[1], variables)
    config = (machine.build() / "shoal.conf").read_bytes()

    def boot(says, shown, **media):
        disk = machine.disk_with(logs / "boot.img", **media) if media else None
        cluster = start(nodes=1, boot="uefi" if media else "pxe",
                        node_settings={"1": {"no_key": True, "variables": str(variables), "disk_image": disk}})
        all_words(cluster, says, KERNEL_RUNS)
        cluster.wait_shell(1, HANG_S)
        if shown:
            cluster.wait_quorum([1], HANG_S)
            assert shown.hex() in cluster.exec(1, "key show", limit=HANG_S).text
        else:
            assert "the cluster key (" in cluster.exec(1, "status", limit=HANG_S).text
        cluster.down()

    boot("firmware keeps the cluster key now", key, key=key, config=config + b"\nkey_store = uefi\n")
    boot("the cluster key is the one that the firmware keeps", key)
    boot("the firmware keeps another cluster key", other, key=other)
    boot("firmware keeps no cluster key any more", None, config=config + b"\nkey_store = forget\n")
    boot("Shoal: loading from the PXE server", None)


# ---- the kernel's stops ----

def test_one_flipped_byte_in_each_part_stops_the_kernel(start, logs):
    parts = machine.bundle_parts()
    for offset in sorted({part.offset for part in parts if part.bytes}):
        same = [part for part in parts if part.offset == offset]  # programs under several names lie there once
        folder = machine.build_with(logs / f"part{offset}", bundle=machine.flipped(offset + same[0].bytes - 1))
        cluster = start(nodes=1, build=folder, diskless=[1])
        all_words(cluster, f"the boot stops: .*'({'|'.join(part.name for part in same)})' is damaged", "what to do: ")
        cluster.down()
        (logs / f"part{offset}" / "shoal.img").unlink()


BAD_LINES = ["bogus = 1", "cluster", "= x", "cluster = two words", "voters = 52:54:00:53:48", "node = ", "panic = sometimes",
             "address = 10.0.0.300/24", "address = 10.0.0.1/99", "gateway = nowhere", "peers = 10.0.0.1, x", "disk = tape",
             "console = printer", "agent = com9", "genesis = perhaps", "heartbeat_ms = fast", "election_ms = -1",
             "restrict = everything"]


def test_each_bad_configuration_line_stops_the_boot(start):
    for line in BAD_LINES:
        cluster = start(nodes=1, conf=[(0, line)], diskless=[1])
        all_words(cluster, r"the boot stops: configuration line \d+", "what to do: .*line")
        cluster.down()


@pytest.mark.parametrize("boot", ["uefi", "pxe"])
def test_bad_line_in_the_file_is_named(node, logs, boot):
    config = b"cluster = shoal\n# a comment\npanic = sometimes\n"
    if boot == "uefi":
        settings = {"node_settings": {"1": {"disk_image": machine.disk_with(logs / "disk.img", config=config)}}}
    else:
        settings = {"tftp": machine.build_with(logs / "tftp", config=config)}
    all_words(node(boot=boot, **settings), "the boot stops: configuration line 3: .*panic", "what to do: ")


# ---- machines of different kinds ----

@pytest.mark.parametrize("smp", [1, 2, 4])
def test_cpus(node, smp):
    cluster = node(smp=str(smp))
    if smp == 1:
        cluster.expect(1, KERNEL_RUNS, limit=HANG_S)
    else:
        cluster.expect(1, rf"cpu: {smp} of {smp} run", limit=HANG_S)


@pytest.mark.parametrize("machine_type,restrict", [("q35,pit=off,hpet=off", None), ("q35", "nopit, nohpet")])
def test_timers_that_are_missing(node, machine_type, restrict):
    conf = [(0, f"restrict = {restrict}")] if restrict else []
    cluster = node(node_settings={"1": {"machine": machine_type}}, conf=conf)
    all_words(cluster, r"clock: TSC \d+ MHz", r"boot: \d+ ms since the door")
