"""Faults while clients on every node work with keys, locks, queues and transactions: whatever happens to machines, links and
servers, what they saw is linearizable, and all is well again afterwards."""
import pathlib
import re
import time

import pytest

from faults import ALL, HANG_S, Harmed, others, patched_build
from shoalcluster.paths import ClusterError
from shoalnemesis import rounds

PAUSE_S = 10.0
SEED, ROUND_S = 7, 35.0
MUTANTS = pathlib.Path(__file__).parent / "mutants"


@pytest.fixture
def harmed(start, logs):
    return Harmed(start(nodes=3), logs)


# ---- power ----

def power_cut(harmed, victim):
    """With a lock in its hand: that is freed when its lease has ended."""
    rest = others(victim)
    harmed.until("its lock is held", lambda: re.search(rf"^held{victim} .* {victim}\.\d+ ",
                                                       harmed.run(rest[0], "lock --list").text, re.M))
    harmed.kill(victim)
    harmed.shells_work(rest)
    harmed.gone_as_seen_by(rest, victim)
    harmed.progress(rest)
    assert harmed.run(rest[0], f"lock held{victim} -- echo freed").text == "freed\n"
    shown = harmed.run(rest[1], "ps").text
    assert f"no answer from node {victim}" in shown and not re.search(rf"^{victim}\.\d", shown, re.M), shown
    harmed.back(victim)


def power_cut_of_a_follower(harmed):
    power_cut(harmed, harmed.follower())


def power_cut_of_the_leader(harmed):
    power_cut(harmed, harmed.leader())


def power_cut_of_two(harmed):
    left = harmed.follower()
    for victim in others(left):
        harmed.kill(victim)
    harmed.waits(left)
    harmed.back(*others(left))


def power_cut_of_all(harmed):
    for node in ALL:
        harmed.cluster.disk("fate", node, fate="dropped")
        harmed.kill(node)
    harmed.back(*ALL)
    for node in ALL:
        harmed.cluster.disk("fate", node, fate=None)


def clean_restart(harmed):
    """Without a power cut: the machine restarts itself."""
    victim = harmed.follower()
    harmed.seen[victim] = harmed.cluster.position(victim)
    harmed.recorder.lost(victim)
    with pytest.raises(Exception, match="lost while the command ran|restarted"):
        harmed.run(victim, "reboot")
    harmed.cluster.wait_shell(victim, HANG_S)
    harmed.start_client(victim)


def blank_disk(harmed):
    """It comes back without a vote, takes part, and gets its vote back when its new log has proved itself."""
    victim = harmed.follower()
    harmed.back(victim, blank_disk=True)
    harmed.until("it says that it votes again", lambda: re.search(r"^node .*, votes, durable", harmed.run(
        victim, "status").text, re.M))
    harmed.progress(ALL)


# ---- links and pauses ----

def paused(harmed, victim):
    started = time.monotonic()
    harmed.cluster.pause(victim)
    rest = others(victim)
    harmed.gone_as_seen_by(rest, victim)
    harmed.shells_work(rest)
    harmed.progress(rest)
    time.sleep(max(0.0, started + PAUSE_S - time.monotonic()))  # the fault itself: so long a pause
    harmed.cluster.resume(victim)


def pause_of_a_follower(harmed):
    paused(harmed, harmed.follower())


def pause_of_the_leader(harmed):
    paused(harmed, harmed.leader())


def cut_off(harmed, victim):
    rest = others(victim)
    for other in rest:
        harmed.cluster.cut(victim, other)
    harmed.gone_as_seen_by(rest, victim)
    harmed.waits(victim)
    harmed.shells_work(rest)
    harmed.progress(rest)
    harmed.cluster.heal()


def cut_off_follower(harmed):
    cut_off(harmed, harmed.follower())


def cut_off_leader(harmed):
    cut_off(harmed, harmed.leader())


def one_way(harmed, victim, outward):
    """The victim is not heard, or hears nothing; the others go on in either case."""
    rest = others(victim)
    for other in rest:
        harmed.cluster.cut(*((victim, other) if outward else (other, victim)), one_way=True)
    harmed.shells_work(ALL)
    harmed.progress(rest)
    harmed.waits(victim)
    harmed.cluster.heal()


def follower_is_not_heard(harmed):
    one_way(harmed, harmed.follower(), outward=True)


def follower_hears_nothing(harmed):
    one_way(harmed, harmed.follower(), outward=False)


def leader_is_not_heard(harmed):
    one_way(harmed, harmed.leader(), outward=True)


def leader_hears_nothing(harmed):
    one_way(harmed, harmed.leader(), outward=False)


def one_link_of_the_leader_is_cut(harmed):
    """The third node still hears both: there is a majority, whoever leads it."""
    leader = harmed.leader()
    left, third = others(leader)
    harmed.cluster.cut(leader, left)
    harmed.gone_as_seen_by([left], leader)
    harmed.progress([third])
    harmed.shells_work(ALL)
    harmed.cluster.heal()


def all_are_cut_from_all(harmed):
    for a, b in ((1, 2), (1, 3), (2, 3)):
        harmed.cluster.cut(a, b)
    for node in ALL:
        harmed.waits(node)
    harmed.cluster.heal()


# ---- servers ----

def stop_service(harmed, node, name):
    before = harmed.services(node)[name][1]
    assert harmed.run(node, f"service stop {name}").status == 0
    harmed.until(f"{name} on node {node} runs again",
                 lambda: harmed.services(node).get(name) == ("running", before + 1))
    harmed.shells_work(ALL)


def on_follower(name):
    def fault(harmed):
        stop_service(harmed, harmed.follower(), name)
    fault.__name__ = f"{name}_of_a_follower_dies"
    return fault


def on_leader(name):
    def fault(harmed):
        stop_service(harmed, harmed.leader(), name)
    fault.__name__ = f"{name}_of_the_leader_dies"
    return fault


# ---- disks ----

def stalled_disk_of_the_leader(harmed):
    """Leadership moves, and it goes on without; the one with the stalled disk still has a shell."""
    leader = harmed.leader()
    rest = others(leader)
    harmed.cluster.disk("stall", leader)
    with pytest.raises(ClusterError, match="stalled"):  # QEMU would wait for the disk, and the runner for QEMU
        harmed.cluster.pause(leader)
    harmed.until("another leads", lambda: any(harmed.rows(node).get(number) == ("up", "leader")
                                              for node in rest for number in rest))
    harmed.progress(rest)
    harmed.shells_work(ALL)
    harmed.cluster.disk("heal", leader)


def failing_flush(harmed):
    """Final for that logstore: it ends, another begins, and what was not acknowledged is written again."""
    victim = harmed.follower()
    before = harmed.services(victim)["logstore"][1]
    harmed.cluster.disk("fail", victim, kind="flush", times=1)
    harmed.until("logstore ended and is back", lambda: harmed.services(victim).get("logstore", ("", 0))[0] == "running"
                 and harmed.services(victim)["logstore"][1] > before)


def disk_without_room(harmed):
    victim = harmed.follower()
    harmed.cluster.disk("full", victim, **{"from": 0})
    harmed.until("it says what it waits for", lambda: "the log server, which ended" in harmed.run(victim, "status").text)
    harmed.progress(others(victim))
    harmed.cluster.disk("heal", victim)


def damaged_entries(harmed):
    """Acknowledged ones: they are fetched, and the node votes again."""
    victim = harmed.follower()
    harmed.kill(victim)
    harmed.cluster.disk("damage", victim, area="log", count=8)
    harmed.back(victim)
    harmed.until("what was lost is there again", lambda: "the lost entries are here again" in harmed.run(victim, "log").text)


def older_image(harmed):
    """Refused in words, there and elsewhere; taken in anew after it was given up."""
    victim = harmed.follower()
    rest = others(victim)
    harmed.kill(victim)
    harmed.cluster.save_disk(victim, "older")
    harmed.back(victim)
    harmed.progress(ALL)
    harmed.kill(victim)
    harmed.cluster.restore_disk(victim, "older")
    harmed.cluster.restart(victim)
    harmed.cluster.wait_shell(victim, HANG_S)
    harmed.until("it says so", lambda: "older image" in harmed.run(victim, "status").text)
    for node in rest:
        harmed.until(f"node {node} shows it", lambda: "older image" in harmed.run(node, "nodes").text)
    harmed.progress(rest)
    assert harmed.run(victim, f"raft wipe --yes-lose-data {harmed.cluster.status()['name']}").status == 0
    harmed.cluster.wait_quorum(ALL, HANG_S)
    harmed.seen[victim] = 0
    harmed.start_client(victim)
    harmed.progress(ALL)


SERVERS = ("net", "logstore", "virtio_net0", "virtio_blk0")
FAULTS = {
    "power": [power_cut_of_a_follower, power_cut_of_the_leader, power_cut_of_two, power_cut_of_all, clean_restart,
              blank_disk],
    "links": [cut_off_follower, cut_off_leader, follower_is_not_heard, follower_hears_nothing, leader_is_not_heard,
              leader_hears_nothing, one_link_of_the_leader_is_cut, all_are_cut_from_all, pause_of_a_follower, pause_of_the_leader],
    "disks": [stalled_disk_of_the_leader, failing_flush, disk_without_room, damaged_entries,
              older_image],
    "servers": [make(name) for name in SERVERS for make in (on_follower, on_leader)],
}


@pytest.mark.parametrize("kind", FAULTS)
def test_history_is_sound_through_faults(harmed, kind):
    try:
        for fault in FAULTS[kind]:
            harmed.say(fault.__name__)
            fault(harmed)
            harmed.whole()
    except BaseException:
        harmed.keep_words()
        raise
    sound, words = harmed.judge()
    assert sound, words


# ---- several at once ----

def test_history_is_sound_through_several_faults_at_once(logs):
    """A short round of `make nemesis`."""
    assert rounds.run_round(SEED, ROUND_S, logs)


# ---- a log that is not kept ----

def cut_all_and_judge(cluster, logs):
    """Nothing that a disk has not flushed outlives this power cut."""
    harmed = Harmed(cluster, logs)
    for node in ALL:
        cluster.disk("flush", node)  # the beginning of the cluster is kept in any case
    harmed.progress(ALL)
    power_cut_of_all(harmed)
    return harmed.judge()


def test_a_logstore_that_does_not_flush_is_found_out(start, logs, tmp_path):
    build = patched_build(MUTANTS / "logstore-does-not-flush.patch", tmp_path / "tree")
    sound, words = cut_all_and_judge(start(nodes=3, build=build), logs)
    assert not sound and "not linearizable" in words, words
