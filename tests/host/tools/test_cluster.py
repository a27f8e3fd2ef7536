"""The cluster runner with a stand-in guest: power, consoles, commands, and nothing left behind."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from shoalcluster.client import Cluster
from shoalcluster.paths import ClusterError

HERE = pathlib.Path(__file__).parent
TOOL = HERE.parent.parent.parent / "tools" / "cluster"
HANG_S = 60


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """A build folder whose kernel is the stand-in."""
    folder = tmp_path_factory.mktemp("build")
    source = HERE / "standin"
    subprocess.run(["clang", "--target=i386-unknown-none-elf", "-ffreestanding", "-fno-pic", "-O2", "-mno-sse", "-c",
                    source / "standin.c", "-o", folder / "standin.o"], check=True)
    subprocess.run(["ld.lld", "-m", "elf_i386", "-static", "-T", source / "standin.ld", folder / "standin.o", "-o",
                    folder / "kernel.elf"], check=True)
    (folder / "shoal.img").write_bytes(b"no bundle")
    return str(folder)


@pytest.fixture
def folder(tmp_path):
    """A short folder for sockets."""
    import tempfile
    with tempfile.TemporaryDirectory(prefix="shoal-t") as path:
        yield os.path.join(path, "c")


@pytest.fixture
def cluster(build, folder):
    running = Cluster.up(folder=folder, build=build, boot="pvh", nodes=2, mem=32, accel="tcg", attached=True, seed=7)
    yield running
    if os.path.exists(running.control_path()):
        running.down()


def processes_naming(text):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                words = pathlib.Path("/proc", entry, "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if text in words:
                found.append(words.replace("\0", " "))
    return found


def wait_gone(text):
    end = time.monotonic() + HANG_S
    while processes_naming(text):
        assert time.monotonic() < end, processes_naming(text)
        time.sleep(0.05)


def state_of(cluster, node):
    return next(row for row in cluster.status()["nodes"] if row["node"] == node)


def test_exec_gives_output_and_status(cluster):
    cluster.wait_shell(1, HANG_S)
    assert cluster.exec(1, "echo hello there", limit=HANG_S).text == "hello there"
    assert cluster.exec(2, "exit 3", limit=HANG_S).status == 3
    assert cluster.exec(1, "nonsense", limit=HANG_S).status == 127


def test_command_that_hangs_is_cancelled(cluster):
    cluster.wait_shell(1, HANG_S)
    with pytest.raises(ClusterError, match="still ran"):
        cluster.exec(1, "hang", limit=0.2)
    cluster.expect(1, "hanging", limit=HANG_S)
    cluster.expect(1, "cancelled", limit=HANG_S)
    assert cluster.exec(1, "echo again", limit=HANG_S).text == "again"


def test_console_is_logged_and_typed_at(cluster):
    cluster.expect(1, "stand-in up", limit=HANG_S)
    position = cluster.type(1, "abc\n")
    cluster.expect(1, "abc", since=position, limit=HANG_S)
    assert "stand-in up" in cluster.console_text(1)
    with pytest.raises(ClusterError, match="never said 'xyz'"):
        cluster.expect(1, "xyz", limit=0.1)


def test_power_cut_and_restart(cluster):
    cluster.wait_shell(1, HANG_S)
    cluster.kill(1)
    assert state_of(cluster, 1)["state"] == "off" and state_of(cluster, 1)["why"] == "power cut"
    with pytest.raises(ClusterError, match="off"):
        cluster.exec(1, "true")
    with pytest.raises(ClusterError, match="off already"):
        cluster.kill(1)
    assert cluster.exec(2, "echo other", limit=HANG_S).text == "other"
    cluster.restart(1, blank_disk=True)
    assert cluster.exec(1, "echo back", limit=HANG_S).text == "back"
    assert state_of(cluster, 1)["boots"] == 2


def test_power_cut_ends_a_running_command(cluster):
    cluster.wait_shell(1, HANG_S)
    child = subprocess.Popen([sys.executable, TOOL, "--dir", cluster.folder, "exec", "1", "hang"], stderr=subprocess.PIPE,
                             text=True)
    cluster.expect(1, "hanging", limit=HANG_S)
    cluster.kill(1)
    _, errors = child.communicate(timeout=HANG_S)
    assert child.returncode == 1 and "lost while the command ran" in errors


def test_own_end_and_own_restart_are_told_apart(cluster):
    cluster.wait_shell(1, HANG_S)
    cluster.wait_shell(2, HANG_S)
    with pytest.raises(ClusterError, match="lost"):
        cluster.exec(1, "leave", limit=HANG_S)
    cluster.wait_until(lambda: state_of(cluster, 1)["state"] == "off", "node 1 off", HANG_S)
    assert state_of(cluster, 1)["why"] == "left the emulator with code 5"
    with pytest.raises(ClusterError, match="restarted"):
        cluster.exec(2, "restart", limit=HANG_S)
    assert cluster.exec(2, "echo anew", limit=HANG_S).text == "anew"
    row = state_of(cluster, 2)
    assert (row["boots"], row["restarts"]) == (1, 1)


def test_pause_and_resume(cluster):
    cluster.wait_shell(1, HANG_S)
    cluster.pause(1)
    cluster.wait_until(lambda: state_of(cluster, 1)["state"] == "paused", "paused", HANG_S)
    with pytest.raises(ClusterError, match="still ran"):
        cluster.exec(1, "echo x", limit=0.3)
    cluster.resume(1)
    assert cluster.exec(1, "echo awake", limit=HANG_S).text == "awake"


def test_links_are_cut_and_healed(cluster):
    cluster.cut(1, 2, one_way=True)
    links = cluster.status()["links"]
    assert [(link["from"], link["to"], link["cut"]) for link in links] == [(1, 2, True)]
    cluster.drop(1, 2, 25)
    cluster.heal()
    assert cluster.status()["links"] == []
    with pytest.raises(ClusterError, match="no port 9"):
        cluster.cut(1, 9)


def test_genesis_is_said_once(cluster):
    conf = pathlib.Path(cluster.folder, "node1", "conf")
    assert "genesis = yes" in conf.read_text()
    assert "voters = 52:54:00:53:48:01, 52:54:00:53:48:02" in conf.read_text()
    cluster.restart(1)
    assert "genesis" not in conf.read_text()


def test_down_leaves_nothing(cluster):
    folder = cluster.folder
    assert len([words for words in processes_naming(folder) if "qemu-system" in words]) == 2
    cluster.down()
    assert not os.path.exists(folder)
    wait_gone(folder)


def test_keep_carries_disks_over(build, folder):
    settings = dict(folder=folder, build=build, boot="pvh", nodes=1, mem=32, accel="tcg", attached=True)
    cluster = Cluster.up(**settings)
    key = pathlib.Path(folder, "key").read_bytes()
    cluster.down(keep=True)
    wait_gone(folder)
    again = Cluster.up(**settings)
    try:
        assert pathlib.Path(folder, "key").read_bytes() == key
        assert "genesis" not in pathlib.Path(folder, "node1", "conf").read_text()
    finally:
        again.down()
    assert not os.path.exists(folder)


def test_two_clusters_side_by_side(cluster, build, tmp_path):
    other = Cluster.up(folder=cluster.folder + "2", build=build, boot="pvh", nodes=1, mem=32, accel="tcg", attached=True)
    try:
        assert other.exec(1, "echo two", limit=HANG_S).text == "two"
        assert cluster.exec(1, "echo one", limit=HANG_S).text == "one"
        with pytest.raises(ClusterError, match="runs in .* already"):
            Cluster.up(folder=cluster.folder, build=build, boot="pvh", nodes=1)
    finally:
        other.down()
    assert cluster.exec(1, "true", limit=HANG_S).status == 0


def command(folder, build, *words):
    return subprocess.run([sys.executable, TOOL, "--dir", folder, *words], env=dict(os.environ, BUILD=build),
                          capture_output=True, text=True, timeout=HANG_S, stdin=subprocess.DEVNULL, check=False)


def test_command_line(build, folder):
    done = command(folder, build, "up", "-n", "1", "--boot", "pvh", "--mem", "32", "--accel", "tcg")
    assert done.returncode == 0, done.stderr
    try:
        assert command(folder, build, "exec", "1", "echo words").stdout == "words"
        assert command(folder, build, "exec", "1", "exit 7").returncode == 7
        status = json.loads(command(folder, build, "status", "--json").stdout)
        assert status["nodes"][0]["state"] == "running"
        assert "running" in command(folder, build, "status").stdout
        assert "stand-in up" in command(folder, build, "log", "1").stdout
        missing = command(folder, build, "kill", "5")
        assert missing.returncode == 1 and "there is no node 5" in missing.stderr
    finally:
        assert command(folder, build, "down").returncode == 0
    assert not os.path.exists(folder)
    gone = command(folder, build, "status")
    assert gone.returncode == 1 and "no cluster runs in " in gone.stderr


def test_missing_build_is_said(folder, tmp_path):
    done = command(folder, str(tmp_path), "up", "--boot", "pvh")
    assert done.returncode == 1 and "kernel.elf" in done.stderr and "make build" in done.stderr
    assert not os.path.exists(folder)


def test_interrupt_during_up_leaves_nothing(build, folder):
    child = subprocess.Popen([sys.executable, TOOL, "--dir", folder, "up", "-n", "1", "--boot", "pvh", "--mem", "32",
                              "--accel", "tcg", "--limit", "100", "--conf", "x = y"],
                             env=dict(os.environ, BUILD=build), stderr=subprocess.PIPE, text=True)
    while "node 1" not in child.stderr.readline():
        pass
    os.kill(child.pid, signal.SIGINT)
    child.communicate(timeout=HANG_S)
    if child.returncode == 0:  # it was up already: then it is meant to stay
        command(folder, build, "down")
    assert not os.path.exists(folder)
    wait_gone(folder)


def test_run_script_ends_with_its_last_status(build, folder, tmp_path):
    script = tmp_path / "script"
    script.write_text("# a comment\necho first\nexit 4\n")
    done = command(folder, build, "run", "-n", "1", "--boot", "pvh", "--mem", "32", "--accel", "tcg", str(script))
    assert (done.returncode, done.stdout) == (4, "first")
    assert not os.path.exists(folder)
    wait_gone(folder)


def test_owner_that_dies_takes_the_cluster_along(build, folder):
    code = ("import sys; sys.path.insert(0, %r)\nfrom shoalcluster.client import Cluster\nimport os\n"
            "Cluster.up(folder=%r, build=%r, boot='pvh', nodes=1, mem=32, accel='tcg', attached=True)\nos._exit(0)\n"
            % (str(TOOL.parent), folder, build))
    subprocess.run([sys.executable, "-c", code], check=True, timeout=HANG_S)
    wait_gone(folder)
    assert not os.path.exists(folder)
