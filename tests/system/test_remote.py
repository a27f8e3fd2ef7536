"""Programs on other machines, as a person at one shell uses them; and the story this system is for, from beginning to end."""
import os
import re

import pytest

HANG_S = float(os.environ.get("HANG_S", "300"))  # limits only detect hangs
ALL = (1, 2, 3)
INTERACTIVE = ("edit", "reboot", "poweroff", "exit")

TRANSCRIPT = [
    # command, status, pattern that the whole output must match; {n} is the node's own number
    ("echo one two", 0, r"one two\n"),
    ("on {n} uname -n", 0, r"node{n}\n"),
    ("on 2 uname -n", 0, r"node2\n"),
    ("echo a b c | on 3 wc -w", 0, r"\s*3 ?\n"),
    ("on 3 false", 1, r""),
    ("on 9 true", 125, r"on: .*9.*\n"),
    ("run -n 3 uname -n | sort", 0, r"node1\nnode2\nnode3\n"),
    ("put color blue{n}", 0, r""),
    ("get color", 0, r"blue{n}\n"),
    ("keys", 0, r"(?s).*color.*"),
    ("del color", 0, r""),
    ("get color", 1, r"get: .*color.*\n"),
    ("lock demo -- echo alone", 0, r"alone\n"),
    ("lock demo -- sh -c 'exit 7'", 7, r""),
    ("lock --list", 0, r"(?s).*"),
    ("raft", 0, r"(?s).*leader +node [123].*quorum +yes.*"),
    ("nodes", 0, r"(?s).*node1 .*node2 .*node3 .*"),
    ("ps", 0, r"(?s).*{n}\.\d+ .*ps .*running.*"),
    ("status", 0, r"(?s).*member.*"),
    ("echo text > /tmp/t; on 1 cat /tmp/t; rm /tmp/t", 0, r"text\n"),
    ("nodes --nonsense", 2, r"nodes: .*\n"),
]


def text(cluster, node, command):
    return cluster.exec(node, command, limit=HANG_S).text


def rows_of(cluster, node, program):
    return [line for line in text(cluster, node, "ps").splitlines() if re.search(rf"\b{program}\b", line)]


def test_the_same_words_on_every_node(joined):
    for node in ALL:
        for command, status, pattern in TRANSCRIPT:
            command, pattern = command.replace("{n}", str(node)), pattern.replace("{n}", str(node))
            result = joined.exec(node, command, limit=HANG_S)
            assert result.status == status and re.fullmatch(pattern, result.text), f"node {node}: {command}: {result}"


def test_examples_of_help_with_a_cluster(joined):
    examples = text(joined, 1, "help --examples").splitlines()
    assert len(examples) > 20
    for example in examples:
        if example.split()[0] in INTERACTIVE:
            continue
        result = joined.exec(1, example, limit=HANG_S)
        assert result.status == 0, f"{example}: {result}"


def test_a_megabyte_of_input_goes_through_a_far_program(joined):
    expected = "".join(f"{n}\n" for n in range(1, 170001))
    assert len(expected) > 1 << 20
    assert text(joined, 1, "seq 170000 | on 3 wc -c").split() == [str(len(expected))]
    assert text(joined, 1, "seq 170000 | on 3 hash").split()[0] == text(joined, 1, "seq 170000 | hash").split()[0]


def test_control_c_ends_a_far_program(joined):
    before = joined.type(1, "on 3 sleep 1000\n")
    joined.wait_until(lambda: rows_of(joined, 3, "sleep"), "sleep runs on node 3", HANG_S)
    joined.type(1, "\x03")
    joined.wait_until(lambda: not rows_of(joined, 3, "sleep"), "no sleep is left on node 3", HANG_S)
    joined.expect(1, r"node1\$", since=before, limit=HANG_S)


def test_tab_completes_nodes_and_commands(joined):
    before = joined.type(1, "on \t\r")
    joined.expect(1, r"on: expected: on NODE PROGRAM", since=before, limit=HANG_S)
    before = joined.type(1, "on 3\t unam\t -n\r")
    joined.expect(1, r"\nnode3\r?\n", since=before, limit=HANG_S)
    before = joined.type(1, "lock alone -- ech\t locked\r")
    joined.expect(1, r"\nlocked\r?\n", since=before, limit=HANG_S)


def test_the_log_tells_of_one_process(joined):
    """Of a program that died: its registers, its functions, and nothing of others. The two need what only a first process has."""
    said = text(joined, 2, "/test/test_basic; /test/test_faults")
    numbers = re.findall(r"^sh: /test/(\w+): fault: .*; `log (2\.\d+)` tells more$", said, re.M)
    assert [name for name, _ in numbers] == ["test_basic", "test_faults"], said
    for (name, number), (other, _) in (numbers, numbers[::-1]):
        log = text(joined, 2, f"log {number}")
        assert re.search(rf"process \d+ '{name}'.*forbidden memory.*\n.* rsp [0-9a-f]+ .*\+0x[0-9a-f]+\n", log, re.S), log
        assert other not in log and "cluster" not in log, log
    assert "another node's" in text(joined, 1, f"log {numbers[0][1]}")


def test_exit_status_and_cause_come_back(joined):
    assert joined.exec(1, "on 2 sh -c 'exit 42'", limit=HANG_S).status == 42
    joined.type(1, "on 2 sleep 999\n")
    joined.wait_until(lambda: rows_of(joined, 2, "sleep"), "sleep runs on node 2", HANG_S)
    number = rows_of(joined, 2, "sleep")[0].split()[0]
    before = joined.position(1)
    assert joined.exec(3, f"kill {number}", limit=HANG_S).status == 0
    joined.expect(1, "signal|killed", since=before, limit=HANG_S)


def test_a_far_process_server_is_killed(joined):
    joined.type(1, "on 3 sleep 1000\n")
    joined.wait_until(lambda: rows_of(joined, 3, "sleep"), "sleep runs on node 3", HANG_S)
    before = joined.position(1)
    assert joined.exec(3, "service stop process", limit=HANG_S).status == 0
    joined.wait_until(lambda: joined.exec(1, "on 3 echo back", limit=HANG_S).text == "back\n", "node 3 starts programs again",
                      HANG_S)
    joined.type(1, "\x03")
    joined.expect(1, r"node1\$", since=before, limit=HANG_S)


@pytest.mark.parametrize("boot", ["uefi", "pvh"])
def test_the_main_story(start, boot):
    """A script is entered at node 1, computes on node 3, and the power of node 3 is cut while it runs."""
    cluster = start(nodes=3, boot=boot)
    for node in ALL:
        cluster.wait_shell(node, HANG_S)
    cluster.wait_quorum(ALL, HANG_S)
    before = cluster.type(1, "cat > /tmp/script.lua\n")
    cluster.expect(1, r"script\.lua[^\n]*\n", since=before, limit=HANG_S)
    cluster.wait_until(lambda: rows_of(cluster, 1, "cat"), "cat waits for lines", HANG_S)
    for line in ("local count = 0",
                 "for line in io.lines('/share/text/harbour.txt') do for _ in line:gmatch('%a+') do count = count + 1 end end",
                 "print('words: ' .. count)", "if arg[1] then while true do end end"):
        cluster.type(1, line + "\n")
    cluster.type(1, "\x04")
    cluster.wait_until(lambda: not rows_of(cluster, 1, "cat"), "the script is entered", HANG_S)
    here = text(cluster, 1, "lua /tmp/script.lua")
    assert re.fullmatch(r"words: [1-9]\d+\n", here)
    assert text(cluster, 1, "on 3 lua /tmp/script.lua") == here
    before = cluster.type(1, "on 3 lua /tmp/script.lua for-ever\n")
    cluster.wait_until(lambda: rows_of(cluster, 3, "lua"), "lua runs on node 3", HANG_S)
    cluster.kill(3)
    cluster.expect(1, "node 3 was lost", since=before, limit=HANG_S)
    assert text(cluster, 1, "echo still here") == "still here\n"
    cluster.wait_until(lambda: re.search(r"node3 +not heard", text(cluster, 1, "nodes")), "nodes tells of node 3", HANG_S)
