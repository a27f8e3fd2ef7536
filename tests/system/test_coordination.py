"""Coordination across three nodes, from their shells: what one does, the others see, wait for, and are kept from."""
import re

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
    joined.type(1, "elect chief first -- sleep 1000\n")
    joined.wait_until(lambda: "chief" in say(joined, 2, "lock --list"), "there is a chief", HANG_S)
    assert say(joined, 2, "elect chief").strip() == "first"
    assert "another kind" in say(joined, 3, "lock --try chief -- echo no", status=1)
    joined.type(1, "\x03")
    assert say(joined, 2, "elect chief second -- elect chief").strip() == "second"


def a_holder_has_the_number_that_ps_shows(joined):
    joined.type(1, "lock held -- sleep 1000\n")
    row = joined.wait_until(lambda: re.search(r"^held +exclusive +1 +0 +(\S+) ", say(joined, 2, "lock --list"), re.M),
                            "the lock is held", HANG_S)
    assert re.search(rf"^{re.escape(row[1])} .* lock +running$", say(joined, 3, "ps"), re.M), row[0]
    assert re.search(r"^held .* 1\.\? ", say(joined, 2, "allow read -- lock --list"), re.M)  # it may not ask node 1
    say(joined, 3, f"kill {row[1]}")
    assert say(joined, 2, "lock held -- echo free") == "free\n"


def test_coordination(joined):
    for step in (a_transaction_takes_one_branch, a_guard_holds_while_the_lock_is_held, watching_misses_nothing,
                 a_barrier_opens_for_all, an_election_is_seen_by_all, a_holder_has_the_number_that_ps_shows):
        print(step.__name__, flush=True)
        step(joined)
