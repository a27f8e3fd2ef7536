"""The cluster's key is changed while clients on every node write: planned, past a node that was off, and after a leak."""
import os
import pathlib
import re

from faults import ALL, HANG_S, Harmed

KEY_HEX = r"[0-9a-f]{64}"


def generation(harmed, node):
    """(generation, whether a change is under way) as `key` there shows it."""
    text = harmed.run(node, "key").text
    found = re.match(r"generation (\d+), (no change under way|being changed)", text)
    assert found, text
    return int(found[1]), found[2] == "being changed"


def until_changed(harmed, nodes, number):
    for node in nodes:
        harmed.until(f"node {node} has generation {number} alone", lambda: generation(harmed, node) == (number, False))


def agreed(harmed, node):
    text = harmed.run(node, "raft").text
    return re.search(r"^leader\s+(node \d+)", text, re.M)[1], re.search(r"^term\s+(\d+)", text, re.M)[1]


def boots_with(harmed, node, key):
    """The operator puts the key where the machine boots from."""
    pathlib.Path(harmed.cluster.folder, f"node{node}", "key").write_bytes(bytes.fromhex(key))


def rotate_under_load(harmed):
    before = agreed(harmed, 1)
    done = harmed.run(2, "key rotate")
    assert done.status == 0 and done.text.endswith("kept on the log disk, sealed under the one that this machine boots with\n"), done
    until_changed(harmed, ALL, 2)
    harmed.progress(ALL)
    assert [agreed(harmed, node) for node in ALL] == [before] * 3  # nobody was missed for long enough to be replaced


def rotate_past_an_absent_node(harmed):
    harmed.kill(3)
    harmed.gone_as_seen_by((1, 2), 3)
    done = harmed.run(1, "key rotate")
    assert done.status != 0 and "waits for node 3 (absent)" in done.text and "`key drop`" in done.text, done
    harmed.progress((1, 2))
    assert generation(harmed, 2) == (2, True)
    assert harmed.run(2, "key drop").status == 0
    until_changed(harmed, (1, 2), 3)
    harmed.progress((1, 2))


def absent_node_is_refused_and_enrolled(harmed):
    harmed.seen[3] = harmed.cluster.position(3)
    harmed.cluster.restart(3)
    harmed.cluster.wait_shell(3, HANG_S)
    harmed.until("node 3 says what it lacks", lambda: re.search(r"^waiting .*new cluster key.*`key enter`",
                                                                harmed.run(3, "status").text, re.M))
    harmed.until("node 1 shows it as refused", lambda: re.search(r"^\s*3\s.*refused.*its key was dropped",
                                                                 harmed.run(1, "nodes").text, re.M))
    assert "turned away: it has a cluster key that was dropped" in harmed.run(1, "log").text
    assert "the key of this node is not valid any more" in harmed.run(3, "log").text
    assert "dropped key" in harmed.run(2, "nodes").text
    key = harmed.run(2, "key show").text.strip()
    assert re.fullmatch(KEY_HEX, key)
    wrong = os.urandom(32).hex()
    refused = harmed.run(1, f"echo {wrong} | key enter")
    assert refused.status != 0 and "another one" in refused.text, refused
    assert harmed.run(3, "echo 12 | key enter").status != 0
    assert harmed.run(3, f"echo {key} | key enter").status == 0
    harmed.cluster.wait_quorum(ALL, HANG_S)
    harmed.start_client(3)
    harmed.whole()
    boots_with(harmed, 3, key)


def restart_of_all(harmed):
    for node in ALL:
        harmed.kill(node)
    harmed.back(*ALL)
    until_changed(harmed, ALL, 3)
    harmed.progress(ALL)


def change_after_a_leak(harmed):
    key = os.urandom(32).hex()
    assert harmed.run(1, f"echo {key} | key leaked").status == 0
    for node in (2, 3):
        harmed.until(f"node {node} knows of the change", lambda: "after a leak" in harmed.run(node, "key").text)
    assert harmed.run(2, f"echo {key} | key enter").status == 0
    harmed.progress(ALL)
    assert re.search(r"waits for node 3$", harmed.run(1, "key").text, re.M) and generation(harmed, 3) == (3, True)
    assert harmed.run(3, f"echo {key} | key enter").status == 0
    until_changed(harmed, ALL, 4)
    harmed.progress(ALL)
    boots_with(harmed, 2, key)
    harmed.kill(2)
    harmed.back(2)
    harmed.whole()


def test_the_key_is_changed_under_load(start, logs):
    harmed = Harmed(start(nodes=3), logs)
    try:
        for case in (rotate_under_load, rotate_past_an_absent_node, absent_node_is_refused_and_enrolled, restart_of_all,
                     change_after_a_leak):
            harmed.say(case.__name__)
            case(harmed)
    except BaseException:
        harmed.keep_words()
        raise
    holds, words = harmed.judge()
    assert holds, words


def test_a_node_without_a_key_is_given_one(start):
    cluster = start(nodes=1, node_settings={"1": {"no_key": True}})
    digits = os.urandom(32).hex()
    cluster.wait_shell(1, HANG_S)
    assert "the cluster key" in cluster.exec(1, "status", limit=HANG_S).text
    position = cluster.type(1, "key enter\r")
    end = cluster.expect(1, "are not shown", since=position, limit=HANG_S)["end"]
    cluster.type(1, f"{digits}\r")
    cluster.expect(1, "taken", since=end, limit=HANG_S)
    cluster.wait_quorum((1,), HANG_S)
    assert digits not in cluster.console_text(1)
