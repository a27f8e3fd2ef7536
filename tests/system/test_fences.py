"""Whatever a holder that was stopped does late has no effect: the kernel of the server refuses fences that a later grant has
made void, and the holder's own kernel stops it when its lease may be over."""
import json
import os
import re
import signal
import time

import pytest

HANG_S = float(os.environ.get("HANG_S", "300"))  # limits only detect hangs
LEASE_S = 5.0
STOPPED_S = 10 * LEASE_S  # the fault itself
measured = {}  # how the holder was stopped -> for how long two believed that they held the lock
E_NOT_FENCED, E_STALE_FENCE, E_WRONG_TYPE = 45, 39, 7


def text(cluster, node, command):
    return cluster.exec(node, command, limit=HANG_S).text


def start(cluster, node, command, log, mark):
    """In the background of the console's shell; until `mark` stands in its output."""
    cluster.type(node, f"{command} > {log} &\r")
    cluster.wait_until(lambda: re.search(mark, text(cluster, node, f"cat {log}"), re.M), f"{command} on node {node}", HANG_S)


def calls(served):
    return [(int(n), int(fence)) for n, fence in re.findall(r"^call (\d+) fence (\d+)$", served, re.M)]


def fence_of(cluster, node, log):
    return int(re.search(r"^held (\d+)$", text(cluster, node, f"cat {log}"), re.M)[1])


def told_lost(cluster, node):
    cluster.wait_until(lambda: re.search("^lost$", text(cluster, node, "cat /tmp/calls"), re.M), "the old holder is told", HANG_S)


def calls_after_loss(cluster, node):
    """How each call ended that was answered after the loss was told: "ok" or an error's number."""
    return re.findall(r"^(ok|\d+) \d+$", text(cluster, node, "cat /tmp/calls").split("lost\n", 1)[1], re.M)


def never_falls(fences):
    return all(a <= b for a, b in zip(fences, fences[1:]))


def leader_of(cluster, node):
    return int(re.search(r"^leader\s+node (\d+)", text(cluster, node, "raft"), re.M)[1])


def test_only_calls_under_the_lock_get_through(joined):
    start(joined, 3, "fence_server guarded door", "/tmp/served", "serving")
    for node in (1, 3):
        shown = text(joined, node, "fence_client guarded door 10 plain")
        assert f"{E_NOT_FENCED} 1\n" in shown and f"{E_NOT_FENCED} 2\n" in shown, shown
        assert f"{E_WRONG_TYPE} 3\n" in shown and f"{E_STALE_FENCE} 4\n" in shown, shown
    assert not calls(text(joined, 3, "cat /tmp/served"))


class Stopped:
    """A machine that stands still: to itself it is as if no time had passed, or as if it had slept."""

    def __init__(self, cluster, node, how):
        self.cluster, self.node, self.how = cluster, node, how
        self.pid = next(row["pid"] for row in cluster.status()["nodes"] if row["node"] == node)

    def __enter__(self):
        if self.how == "qmp":
            self.cluster.pause(self.node)
        else:
            os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *_):
        if self.how == "qmp":
            self.cluster.resume(self.node)
        else:
            os.kill(self.pid, signal.SIGCONT)


@pytest.mark.parametrize("how", ["qmp", "sigstop"])
def test_what_a_stopped_holder_does_late_has_no_effect(joined, logs, how):
    holder = next(node for node in (1, 2) if node != leader_of(joined, 1))
    heir = 3 - holder
    start(joined, 3, "fence_server guarded door", "/tmp/served", "serving")
    start(joined, holder, "fence_client guarded door 20", "/tmp/calls", "^ok 3$")
    old = fence_of(joined, holder, "/tmp/calls")
    joined.type(heir, "fence_client guarded door 20 > /tmp/calls &\r")
    stopped_at = time.monotonic()
    with Stopped(joined, holder, how):
        joined.wait_until(lambda: re.search("^held", text(joined, heir, "cat /tmp/calls"), re.M), "the heir holds", HANG_S)
        granted_at = time.monotonic()
        joined.wait_until(lambda: re.search("^ok 5$", text(joined, heir, "cat /tmp/calls"), re.M), "the heir calls", HANG_S)
        time.sleep(max(0.0, stopped_at + STOPPED_S - time.monotonic()))
    woken_at = time.monotonic()
    told_lost(joined, holder)
    told_at = time.monotonic()
    joined.wait_until(lambda: len(calls_after_loss(joined, holder)) >= 20, "it tries some more", HANG_S)
    new = fence_of(joined, heir, "/tmp/calls")
    late = calls_after_loss(joined, holder)[1:]  # the first may have been under way, and answered, when the lock was lost
    assert new > old and "ok" not in late, late
    fences = [fence for _, fence in calls(text(joined, 3, "cat /tmp/served"))]
    (logs / "fences").write_text(json.dumps(fences))
    assert old in fences and new in fences and never_falls(fences), "a void fence had an effect"
    measured[how] = told_at - granted_at
    print(f"{how}: the heir was granted it {granted_at - stopped_at:.1f} s after the stop; until the old holder was told, two believed "
          f"that they held it for {told_at - granted_at:.1f} s, {told_at - woken_at:.1f} s of it awake; "
          f"the largest so far is {max(measured.values()):.1f} s")


def test_a_restarted_server_reads_what_was_granted(joined):
    """And an unlocked lock's fence is of no use to a server that never saw a later one."""
    start(joined, 3, "fence_server guarded door", "/tmp/served", "serving")
    start(joined, 1, "fence_client guarded door 20", "/tmp/calls", "^ok 3$")
    row = next(line for line in text(joined, 3, "ps").splitlines() if "fence_server" in line)
    assert joined.exec(3, f"kill {row.split()[0]}").status == 0
    start(joined, 3, "fence_server guarded door", "/tmp/served2", "serving")
    joined.wait_until(lambda: len(calls(text(joined, 3, "cat /tmp/served2"))) > 3, "the holder is served again", HANG_S)
    joined.cut(1, 2)
    joined.cut(1, 3)
    start(joined, 2, "fence_client guarded door 20", "/tmp/calls", "^ok 3$")
    joined.heal()
    told_lost(joined, 1)
    fences = [fence for _, fence in calls(text(joined, 3, "cat /tmp/served2"))]
    assert never_falls(fences) and len(set(fences)) == 2, fences


def test_a_program_under_a_lost_lock_is_ended(joined):
    joined.type(1, "lock door -- sleep 1000; echo ended with $? > /tmp/end\r")
    joined.wait_until(lambda: re.search(r"^door .* 1\.\d+ ", text(joined, 2, "lock --list"), re.M), "the lock is held", HANG_S)
    joined.cut(1, 2)
    joined.cut(1, 3)
    joined.wait_until(lambda: "frozen" in text(joined, 1, "log"), "its node stops it", HANG_S)
    assert text(joined, 2, "lock door -- echo mine") == "mine\n"
    joined.heal()
    joined.wait_until(lambda: "ended with" in text(joined, 1, "cat /tmp/end"), "it is ended", HANG_S)
    assert "ended with 0" not in text(joined, 1, "cat /tmp/end")
