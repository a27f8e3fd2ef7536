"""Coordination across three nodes, from their shells: what one does, the others see, wait for, and are kept from."""
import pathlib
import re
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
HANG_S = 300.0  # limits only detect hangs


def say(cluster, node, command, status=0):
    result = cluster.exec(node, command, limit=HANG_S)
    assert result.status == status, result
    return result.text


def a_transaction_takes_one_branch(joined):
    command = "txn if color absent then put color blue and put shape round else put color red"
    assert say(joined, 1, command).startswith("then, at revision ")
    assert say(joined, 2, "get shape").strip() == "round"
    revision = say(joined, 3, command, status=1).split()[-1]
    assert say(joined, 2, "get color").strip() == "red"
    say(joined, 1, f"txn if color at {revision} and color = red then del color")
    say(joined, 1, "get color", status=1)
    assert "twice" in say(joined, 1, "txn then put a 1 and del a", status=1)


def a_guard_holds_while_the_lock_is_held(joined):
    joined.type(1, "lock guard -- sleep 1000\n")
    joined.wait_until(lambda: "guard" in say(joined, 2, "lock --list"), "the lock is held", HANG_S)
    fence = [line.split()[-1] for line in say(joined, 2, "lock --list").splitlines() if line.startswith("guard ")][0]
    say(joined, 3, f"txn if lock guard {fence} then put guarded yes")
    assert "not free" in say(joined, 2, "lock --wait 1 guard -- echo no", status=1)
    joined.wait_until(lambda: re.search(r"^guard +exclusive +1 +0 ", say(joined, 2, "lock --list"), re.M),
                      "who gave up is not in line any more", HANG_S)
    joined.type(1, "\x03")
    joined.wait_until(lambda: "guard" not in say(joined, 2, "lock --list"), "the lock is free", HANG_S)
    say(joined, 3, f"txn if lock guard {fence} then put guarded no", status=1)


def watching_misses_nothing(joined):
    first = say(joined, 1, "txn then put w/1 one").split()[-1]
    say(joined, 2, "put w/2 two; put other x; del w/1")
    lines = say(joined, 3, f"watch --from {first} --count 3 w/").splitlines()
    assert [line.split()[1:] for line in lines] == [["put", "w/1", "one"], ["put", "w/2", "two"], ["del", "w/1"]]


def a_barrier_opens_for_all(joined):
    for node in (1, 2):
        joined.type(node, "barrier gate 3; put passed$NODE 1\n".replace("$NODE", str(node)))
    joined.wait_until(lambda: "gate" in say(joined, 3, "lock --list"), "they wait", HANG_S)
    say(joined, 3, "barrier gate 3")
    for node in (1, 2):
        joined.wait_until(lambda node=node: f"passed{node}" in say(joined, 3, "keys passed"), "it passed", HANG_S)


def an_election_is_seen_by_all(joined):
    first = say(joined, 3, "txn then put before election").split()[-1]
    joined.type(1, "elect chief first -- sleep 1000\n")
    joined.wait_until(lambda: "chief" in say(joined, 2, "lock --list"), "there is a chief", HANG_S)
    shown = re.fullmatch(r"first \((\S+), fence \d+\)", say(joined, 2, "elect chief").strip())
    assert re.search(rf"^{re.escape(shown[1])} .* elect +running$", say(joined, 3, "ps"), re.M), shown[0]
    watched = say(joined, 3, f"watch --elections --from {first} --count 1 chief")
    assert watched.split(maxsplit=1)[1] == f"elected chief first ({shown[1]})\n"
    assert "another kind" in say(joined, 3, "lock --try chief -- echo no", status=1)
    joined.type(1, "\x03")
    assert say(joined, 2, "elect chief second -- elect chief").startswith("second (2.")


def a_holder_has_the_number_that_ps_shows(joined):
    joined.type(1, "lock held -- sleep 1000\n")
    row = joined.wait_until(lambda: re.search(r"^held +exclusive +1 +0 +(\S+) ", say(joined, 2, "lock --list"), re.M),
                            "the lock is held", HANG_S)
    assert re.search(rf"^{re.escape(row[1])} .* lock +running$", say(joined, 3, "ps"), re.M), row[0]
    assert re.search(r"^held .* 1\.\? ", say(joined, 2, "allow read -- lock --list"), re.M)  # it may not ask node 1
    say(joined, 3, f"kill {row[1]}")
    assert say(joined, 2, "lock held -- echo free") == "free\n"


def keys_end_and_queue_up(joined):
    assert say(joined, 1, "put --ephemeral here yes -- get here") == "yes\n"
    assert "no such key" in say(joined, 2, "get here", status=1)
    names = [say(joined, node, "put --sequence queue/ me").strip() for node in (1, 2, 3)]
    assert names == sorted(names) and all(re.fullmatch(r"queue/\d{12}", name) for name in names)
    assert re.findall(r"queue/\d+", say(joined, 1, "keys queue/")) == names
    joined.type(1, "put --ephemeral --sequence room/ 1 -- sleep 1000\n")
    joined.wait_until(lambda: "room/" in say(joined, 3, "keys room/"), "it is there", HANG_S)
    joined.type(1, "\x03")
    joined.wait_until(lambda: "room/" not in say(joined, 3, "keys room/"), "it has ended", HANG_S)


def a_watch_is_ended_and_tells_what_it_cannot(joined):
    joined.type(1, "watch nothing; echo watched $?\n")
    joined.wait_until(lambda: re.search(r"^1\.\d+ .* watch +running$", say(joined, 2, "ps"), re.M), "it watches", HANG_S)
    joined.type(1, "\x03")
    joined.wait_until(lambda: not re.search(r"^1\.\d+ .* watch ", say(joined, 2, "ps"), re.M), "it has ended", HANG_S)
    assert '"failed":0' in say(joined, 2, "bench put 1100 32")
    text = say(joined, 2, "watch --from 1 --count 1", status=1)
    oldest = re.search(r"no longer known.*--from (\d+)$", text.strip())[1]
    assert say(joined, 2, f"watch --from {oldest} --count 1").split()[1] == "put"


def a_dead_holders_lock_is_kept_for_its_delay(joined):
    joined.type(1, "lock --delay 3 slow -- sleep 1000\n")
    row = joined.wait_until(lambda: re.search(r"^slow +exclusive +1 +0 +(\S+) ", say(joined, 2, "lock --list"), re.M),
                            "the lock is held", HANG_S)
    say(joined, 2, f"kill -9 {row[1]}")
    joined.wait_until(lambda: re.search(r"^slow +delayed +0 ", say(joined, 2, "lock --list"), re.M), "it is delayed", HANG_S)
    assert "held by another" in say(joined, 3, "lock --try slow -- echo no", status=1)
    assert say(joined, 3, "lock slow -- echo mine") == "mine\n"
    assert "expected" in say(joined, 3, "lock --delay 61 slow -- echo no", status=2)


def who_waits_for_each_other_is_shown(joined):
    for node, first, second in ((1, "a", "b"), (2, "b", "a")):
        joined.type(node, f"/example/waits hold {first} {second} go; put waited{node} 1\n")
    joined.wait_until(lambda: len(re.findall(r"^[ab] +exclusive +1 +0 ", say(joined, 3, "lock --list"), re.M)) == 2,
                      "both hold one", HANG_S)
    assert "circle" not in say(joined, 3, "lock --waits")
    say(joined, 3, "put go now")
    text = joined.wait_until(lambda: (lambda t: "circle" in t and t)(say(joined, 3, "lock --waits")), "a circle", HANG_S)
    one, other = re.findall(r"^(\S+) +[ab] +exclusive +\S+ +holds it$", text, re.M)
    assert re.search(rf"^  {one} waits for \w, which {other} has before it\n  {other} waits for \w, which {one} has", text,
                     re.M), text
    assert say(joined, 3, "/example/waits").splitlines()[0] == "2 cannot go on"
    say(joined, 3, f"kill {one}")
    for node in (1, 2):
        joined.wait_until(lambda node=node: f"waited{node}" in say(joined, 3, "keys waited"), "it goes on", HANG_S)
    assert len(say(joined, 3, "lock --waits").splitlines()) == 1


EXAMPLES = {
    "lock": r"held, fence \d+\nreleased: success\n",
    "keys": r"counted to 1\nexample/count has 1 bytes\n",
    "session": r"in the queue as number \d+\nafter the session: no such name or entry\n",
    "txn": r"begun anew\nmoved\nnot moved without the lock\n",
    "watch": r"example/watched is seen\nthen: the deadline passed\n",
    "election": r"a process of node 2 is elected: busy\na process of node 2 is elected: ready\nthen: no such name or entry\n",
    "semaphore": r"one of two\nreleased: success\n",
    "barrier": r"all were there, round 1\nall were there, round 2\n",
    "fence": r"with the lock: success\nwithout: this endpoint takes only calls made under its lock\n"
             r"with an old hold: a newer holder's fence has been seen\nwith the newer: success\n",
    "nodes": r"may set keys\nnode 1: up\nnode 2: up\nnode 3: up\n",
    "waits": r"0 cannot go on\n",
}


def the_examples_of_the_sdk_do_what_they_say(joined):
    assert {path.stem for path in (TOP / "user" / "sdk" / "examples").glob("*.c")} == set(EXAMPLES)
    for name, expected in EXAMPLES.items():
        text = say(joined, 2, f"/example/{name}")
        assert re.fullmatch(expected, text), f"{name}: {text}"


def test_coordination(joined):
    for step in (a_transaction_takes_one_branch, a_guard_holds_while_the_lock_is_held, watching_misses_nothing,
                 a_barrier_opens_for_all, an_election_is_seen_by_all, a_holder_has_the_number_that_ps_shows,
                 keys_end_and_queue_up, a_dead_holders_lock_is_kept_for_its_delay, who_waits_for_each_other_is_shown,
                 the_examples_of_the_sdk_do_what_they_say, a_watch_is_ended_and_tells_what_it_cannot):
        begin = time.monotonic()
        step(joined)
        print(f"{step.__name__}: {time.monotonic() - begin:.1f} s", flush=True)
