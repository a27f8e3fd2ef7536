"""Three machines are one: they join, run programs for each other, and survive power cuts, cuts of links and pauses."""
import hashlib
import hmac
import os
import pathlib
import re

import pytest

from shoalcluster.paths import ClusterError

HANG_S = float(os.environ.get("HANG_S", "300"))  # limits only detect hangs
ALL = (1, 2, 3)


def run(cluster, node, command):
    return cluster.exec(node, command, limit=HANG_S)


def leader_of(cluster, node):
    found = re.search(r"^leader\s+node (\d+)", run(cluster, node, "raft").text, re.M)
    return int(found[1]) if found else 0


def others(*without):
    return [node for node in ALL if node not in without]


def rows(cluster, node):
    """{number: state} as `nodes` there shows it."""
    return {int(n): state for n, state in re.findall(r"^\s*(\d+)\*?\s+\S+\s+(up|not heard|\S+)", run(cluster, node, "nodes").text,
                                                     re.M)}


def put_until_done(cluster, node, key, value):
    cluster.wait_until(lambda: run(cluster, node, f"put {key} {value}").status == 0, f"node {node} can write", HANG_S)


def read(cluster, node, key):
    return cluster.wait_until(lambda: run(cluster, node, f"get {key}").text.strip(), f"node {node} can read", HANG_S)


def hkdf(salt, secret, purpose):
    """RFC 5869, of one block: how the kernel makes keys of the cluster's."""
    extracted = hmac.new(salt, secret, hashlib.sha256).digest()
    return hmac.new(extracted, purpose + b"\1", hashlib.sha256).digest()


def secrets_of(cluster):
    """{what: bytes} that nobody but the machines may learn: the cluster's key and what is made of it."""
    key, name = pathlib.Path(cluster.folder, "key").read_bytes(), cluster.status()["name"].encode()
    salt = hashlib.sha256(b"shoal cluster " + name).digest()
    return {"key": key, "key in hex": key.hex().encode(), "hello key": hkdf(salt, key, b"shoal hello"),
            "keeper": hkdf(name, key, b"shoal keeper")}


def pieces_found(secrets, data):
    """Which of them are in the bytes, as a whole or in part: any 12 bytes in a row of one."""
    return {what for what, secret in secrets.items()
            if any(secret[at:at + 12] in data for at in range(max(1, len(secret) - 11)))}


@pytest.mark.parametrize("boot", ["uefi", "pxe"])
def test_join_by_the_firmware_doors(start, logs, boot):
    """And nothing secret is on the wire from power-on: keys, what is typed, what is written and said."""
    capture = logs / "power-on.pcap"
    cluster = start(nodes=3, boot=boot, capture=str(capture))
    for node in ALL:
        cluster.wait_shell(node, HANG_S)
    cluster.wait_quorum(ALL, HANG_S)
    assert run(cluster, 1, "on 3 echo said-to-another-5ec7e7").text == "said-to-another-5ec7e7\n"
    position = cluster.type(2, "put typed typed-at-a-console-1f0e\r")
    cluster.expect(2, r"1f0e[^$]*\$ ", since=position, limit=HANG_S)
    assert read(cluster, 3, "typed") == "typed-at-a-console-1f0e"
    assert run(cluster, 1, "key rotate").status == 0
    secrets = dict(secrets_of(cluster), said=b"said-to-another-5ec7e7", typed=b"typed-at-a-console-1f0e")
    secrets["new key"] = bytes.fromhex(run(cluster, 2, "key show").text.strip())
    secrets["new key in hex"] = secrets["new key"].hex().encode()
    planted = {f"planted {what}": secret[::-1] for what, secret in secrets.items()}
    for secret in planted.values():  # the search finds what is there
        cluster.switch("inject", 0, frame=(b"\xff" * 6 + b"\x02\0\0\0\0\1" + b"\x88\xb5" + secret).hex())
    cluster.switch("capture")
    data = capture.read_bytes()
    assert (b"SHOALIMG" in data) == (boot == "pxe") and len(data) > 10000
    assert pieces_found(secrets, data) == set() and pieces_found(planted, data) == set(planted)


def test_all_see_all(joined):
    for node in ALL:
        joined.wait_until(lambda: rows(joined, node) == {1: "up", 2: "up", 3: "up"}, f"node {node} sees all", HANG_S)
    leaders = {leader_of(joined, node) for node in ALL}
    assert len(leaders) == 1 and leaders <= set(ALL)


def test_a_key_written_here_is_read_there(joined):
    assert run(joined, 1, "put colour blue").status == 0
    assert read(joined, 3, "colour") == "blue"


def test_programs_run_on_other_machines(joined):
    for node in (2, 3):
        result = run(joined, 1, f"on {node} echo words")
        assert (result.status, result.text) == (0, "words\n")
    assert run(joined, 1, "on 2 false").status == 1
    assert run(joined, 1, "echo piped through | on 3 wc").text.split()[:3] == ["1", "2", "14"]


def test_a_remote_program_sees_its_callers_files(joined):
    assert run(joined, 1, "echo local to node 1 > /tmp/here; on 3 cat /tmp/here").text == "local to node 1\n"
    assert run(joined, 1, "on 3 sh -c 'echo from 3 > /tmp/there'; cat /tmp/there").text == "from 3\n"
    assert run(joined, 3, "cat /tmp/there").status != 0


def test_power_cut_of_each_node_in_turn(joined):
    for number, victim in enumerate(ALL):
        put_until_done(joined, victim, f"key{number}", f"before{number}")
        joined.kill(victim)
        rest = others(victim)
        put_until_done(joined, rest[0], f"after{number}", f"without{victim}")
        assert read(joined, rest[1], f"key{number}") == f"before{number}"
        joined.wait_until(lambda: rows(joined, rest[0]).get(victim) != "up", "its absence is shown", HANG_S)
        joined.restart(victim)
        joined.wait_shell(victim, HANG_S)
        joined.wait_quorum([victim], HANG_S)
        assert read(joined, victim, f"after{number}") == f"without{victim}"
        joined.wait_until(lambda: rows(joined, rest[0]).get(victim) == "up", "it is back", HANG_S)


def test_power_cut_of_the_leader_elects_another(joined):
    old = leader_of(joined, 1)
    joined.kill(old)
    rest = others(old)
    joined.wait_until(lambda: leader_of(joined, rest[0]) not in (0, old), "there is a new leader", HANG_S)
    put_until_done(joined, rest[1], "k", "v")
    assert read(joined, rest[0], "k") == "v"


def test_power_cut_of_all_keeps_what_was_acknowledged(joined):
    for number in range(10):
        put_until_done(joined, 1 + number % 3, f"n{number}", f"v{number}")
    for node in ALL:
        joined.kill(node)
    for node in ALL:
        joined.restart(node)
    for node in ALL:
        joined.wait_shell(node, HANG_S)
    joined.wait_quorum(ALL, HANG_S)
    for number in range(10):
        assert read(joined, 1 + number % 3, f"n{number}") == f"v{number}"


@pytest.mark.parametrize("one_way", [False, True])
def test_a_node_that_is_cut_off_comes_back(joined, one_way):
    victim = leader_of(joined, 1)
    for other in others(victim):
        joined.cut(victim, other, one_way=one_way)
    rest = others(victim)
    put_until_done(joined, rest[0], "while", "cut")
    assert run(joined, victim, "echo alone > /tmp/x; cat /tmp/x").text == "alone\n"
    joined.heal()
    joined.wait_quorum(ALL, HANG_S)
    assert read(joined, victim, "while") == "cut"


def test_the_minority_works_locally_and_says_what_it_waits_for(joined):
    joined.cut(3)
    joined.wait_until(lambda: "voters" in joined.has_quorum(3)[1], "node 3 says what it waits for", HANG_S)
    assert run(joined, 3, "put x y").status != 0
    assert run(joined, 3, "echo still here").text == "still here\n"
    joined.heal()
    joined.wait_quorum([3], HANG_S)


def test_a_paused_leader_is_replaced_and_follows_afterwards(joined):
    old = leader_of(joined, 1)
    rest = others(old)
    joined.pause(old)
    joined.wait_until(lambda: leader_of(joined, rest[0]) not in (0, old), "there is a new leader", HANG_S)
    put_until_done(joined, rest[0], "paused", "yes")
    joined.resume(old)
    joined.wait_quorum([old], HANG_S)
    assert read(joined, old, "paused") == "yes"


def test_a_blank_disk_comes_back_and_votes_again(joined):
    put_until_done(joined, 1, "kept", "yes")
    joined.restart(3, blank_disk=True)
    joined.wait_shell(3, HANG_S)
    assert read(joined, 3, "kept") == "yes"
    joined.wait_until(lambda: re.search(r"^  node 3 .* voter, durable", run(joined, 3, "raft").text, re.M),
                      "node 3 votes again", HANG_S)


def test_lossy_links_slow_it_down_and_no_more(joined):
    for a, b in ((1, 2), (1, 3), (2, 3)):
        joined.drop(a, b, 15)
    for number in range(5):
        put_until_done(joined, 1 + number % 3, f"lossy{number}", "ok")
    result = joined.wait_until(lambda: next((r for r in [run(joined, 1, "on 2 echo through")] if r.status == 0), None),
                               "a program runs over lossy links", HANG_S)
    assert result.text == "through\n"


def test_death_of_the_far_node_is_told(joined):
    import threading
    outcome = []

    def remote():
        try:
            outcome.append(joined.exec(1, "on 3 sleep 1000", limit=HANG_S))
        except ClusterError as error:
            outcome.append(error)

    thread = threading.Thread(target=remote)
    thread.start()
    joined.wait_until(lambda: "sleep" in run(joined, 3, "ps").text, "it runs on node 3", HANG_S)
    joined.kill(3)
    thread.join(HANG_S)
    assert not thread.is_alive()
    assert outcome[0].status != 0 and outcome[0].text.strip() != ""


def test_a_node_with_another_key_stays_outside(start):
    cluster = start(nodes=4, power=False)
    pathlib.Path(cluster.folder, "node4", "key").write_bytes(os.urandom(32))
    for node in (1, 2, 3, 4):
        cluster.power_on(node)
    for node in (1, 2, 3, 4):
        cluster.wait_shell(node, HANG_S)
    cluster.wait_quorum(ALL, HANG_S)
    assert not cluster.has_quorum(4)[0]
    assert rows(cluster, 1).get(4) != "up"
    assert run(cluster, 1, "on 4 echo x").status != 0
    for node in (1, 4):
        cluster.wait_until(lambda: re.search(r"refused: [1-9]\d* wrong key", run(cluster, node, "status").text),
                           f"node {node} counts what it refused", HANG_S)
