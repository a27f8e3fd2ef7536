"""Machines with a shell: by every door, with every number of CPUs, without disk or card, through power cuts and restarts."""
import os
import pathlib
import pty
import re
import select
import subprocess
import sys
import time

import pytest

from shoalcluster import paths
from shoalcluster.paths import ClusterError

HANG_S = float(os.environ.get("HANG_S", "300"))  # limits only detect hangs
TOOL = os.path.join(paths.TOP, "tools", "cluster")


def row_of(cluster, node):
    return next(row for row in cluster.status()["nodes"] if row["node"] == node)


@pytest.mark.parametrize("boot", ["uefi", "pxe", "pvh"])
def test_three_nodes_reach_their_shells(start, boot):
    cluster = start(nodes=3, boot=boot)
    for node in (1, 2, 3):
        cluster.wait_shell(node, HANG_S)
        assert cluster.exec(node, f"echo node {node}", limit=HANG_S).text == f"node {node}\n"
        assert cluster.exec(node, "false", limit=HANG_S).status == 1


def test_different_machines_in_one_cluster(start):
    cluster = start(nodes=3, node_settings={"1": {"smp": "1"}, "2": {"smp": "2"}, "3": {"smp": "4", "mem": 256}})
    for node, cpus in ((1, 1), (2, 2), (3, 4)):
        cluster.wait_shell(node, HANG_S)
        assert f"{cpus} CPUs" in cluster.exec(node, "status", limit=HANG_S).text


def test_clocks_drift_as_the_configuration_says(start):
    """What one clock counted lies within what the other did, and comes to be more: it runs faster."""
    cluster = start(nodes=2, conf=[(1, "clock_ppm = 5000"), (2, "clock_ppm = -5000")])

    def seconds(node):
        return float(cluster.exec(node, "date +%s.%N", limit=HANG_S).text)

    for node, ppm in ((1, "5000"), (2, "-5000")):
        cluster.wait_shell(node, HANG_S)
        assert f"made to drift by {ppm} ppm" in cluster.exec(node, "log", limit=HANG_S).text
    slow, fast = seconds(2), seconds(1)
    cluster.wait_until(lambda: seconds(1) - fast > seconds(2) - slow, "the fast clock has counted more", HANG_S)


def test_addresses_come_from_dhcp_and_stay(start):
    cluster = start(nodes=2)
    for _ in range(2):
        for node in (1, 2):
            cluster.wait_until(lambda: f"10.0.0.{node}" in cluster.exec(node, "status", limit=HANG_S).text,
                               f"node {node} has its address", HANG_S)
        cluster.restart(2)


def test_without_disk_there_is_a_shell(node):
    cluster = node(diskless=[1])
    cluster.wait_shell(1, HANG_S)
    assert "in memory only" in cluster.exec(1, "status", limit=HANG_S).text


def test_without_a_card_there_is_a_shell_that_says_so(node):
    cluster = node(node_settings={"1": {"no_net": True}})
    cluster.wait_shell(1, HANG_S)
    cluster.wait_until(lambda: "no network card" in cluster.exec(1, "status", limit=HANG_S).text, "it says so", HANG_S)


def test_power_cut_and_restart_are_told(node):
    cluster = node()
    cluster.wait_shell(1, HANG_S)
    cluster.kill(1)
    assert row_of(cluster, 1)["why"] == "power cut"
    with pytest.raises(ClusterError, match="off"):
        cluster.exec(1, "echo x")
    cluster.restart(1)
    assert cluster.exec(1, "echo back", limit=HANG_S).text == "back\n"


def test_poweroff_and_reboot_are_told_apart(node):
    cluster = node()
    cluster.wait_shell(1, HANG_S)
    cluster.expect(1, r"\$ ", limit=HANG_S)
    cluster.type(1, "reboot\r")
    cluster.wait_until(lambda: row_of(cluster, 1)["restarts"] == 1, "it restarted itself", HANG_S)
    cluster.wait_shell(1, HANG_S)
    position = cluster.type(1, "\r")
    cluster.expect(1, r"\$ ", since=position, limit=HANG_S)
    cluster.type(1, "poweroff\r")
    cluster.wait_until(lambda: row_of(cluster, 1)["state"] == "off", "it is off", HANG_S)
    assert row_of(cluster, 1)["why"] == "powered itself off" and row_of(cluster, 1)["boots"] == 1


def test_paused_machine_goes_on(node):
    cluster = node()
    cluster.wait_shell(1, HANG_S)
    cluster.pause(1)
    with pytest.raises(ClusterError, match="still ran"):
        cluster.exec(1, "echo x", limit=0.5)
    cluster.resume(1)
    assert cluster.exec(1, "echo awake", limit=HANG_S).text == "awake\n"


def test_interrupted_command_ends_and_the_next_one_runs(node):
    cluster = node()
    cluster.wait_shell(1, HANG_S)
    with pytest.raises(ClusterError, match="still ran"):
        cluster.exec(1, "sleep 1000", limit=1.0)
    assert cluster.exec(1, "echo next", limit=HANG_S).text == "next\n"
    assert "sleep" not in cluster.exec(1, "ps", limit=HANG_S).text


def test_key_is_not_on_the_wire_when_booting_over_pxe(start, logs):
    cluster = start(nodes=1, boot="pxe", capture=str(logs / "boot.pcap"))
    cluster.wait_shell(1, HANG_S)
    key = pathlib.Path(cluster.folder, "key").read_bytes()
    cluster.switch("capture")
    data = (logs / "boot.pcap").read_bytes()
    assert b"SHOALIMG" in data and key not in data and key.hex().encode() not in data


def run_script(folder, text, *options):
    return subprocess.run([sys.executable, TOOL, "--dir", folder, "run", "-n", "1", "--boot", "pvh", "--accel", "tcg",
                           *options], input=text, capture_output=True, text=True, timeout=HANG_S, check=False)


def test_run_with_a_script_ends_with_its_last_status(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("c") / "d")
    done = run_script(folder, "echo one\nfalse\n\n# no command\ntrue\necho two\n")
    assert (done.returncode, done.stdout) == (0, "one\ntwo\n"), done.stderr
    assert run_script(folder, "echo one\nfalse\n").returncode == 1
    assert not os.path.exists(folder)


@pytest.mark.parametrize("boot, options, says", [
    ("pvh", ("--conf", "bogus = 1"), "stopped while starting: .*'bogus' is no key.*what to do: .* boot again\n"),
    ("uefi", ("--diskless", "1", "--conf", "disk = tape"), "stopped while starting: .*'tape' is no value.*what to do: "),
])
def test_run_does_not_wait_for_a_boot_that_stops(tmp_path_factory, boot, options, says):
    """The exit status is not 0, whatever the script, and the machine's own words say why."""
    folder = str(tmp_path_factory.mktemp("c") / "d")
    done = run_script(folder, "true\n", "--limit", "100000", "--boot", boot, *options)
    assert done.returncode == 1 and re.search(says, done.stderr, re.S), done.stderr
    assert not os.path.exists(folder)


def test_run_of_a_script_that_is_not_there_starts_nothing(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("c") / "d")
    done = run_script(folder, "", "/nowhere/script")
    assert done.returncode == 1 and "/nowhere/script: No such file or directory" in done.stderr and "starting" not in done.stderr


def read_until(descriptor, pattern, seen=b""):
    end = time.monotonic() + HANG_S
    while not re.search(pattern, seen):
        ready, _, _ = select.select([descriptor], [], [], end - time.monotonic())
        assert ready, f"never saw {pattern}: {seen[-500:]}"
        seen += os.read(descriptor, 4096)
    return seen


def test_run_at_a_terminal_is_the_shell_of_node_1(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("c") / "d")
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, TOOL, "--dir", folder, "run", "-n", "1", "--boot", "pvh", "--accel", "tcg"])
    read_until(terminal, rb"leaves and ends the nodes[\s\S]*\$ ")
    os.write(terminal, b"echo to$((1))gether\r")
    read_until(terminal, rb"\r?\nto\S*gether")
    os.write(terminal, b"poweroff\r")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert not os.path.exists(folder)
