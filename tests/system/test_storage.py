"""A cluster that lost its majority for good is begun anew from the shell of a survivor, and the old ones stay out until they
give up their logs."""
import re

HANG_S = 300.0  # limits only detect hangs


def run(cluster, node, command):
    return cluster.exec(node, command, limit=HANG_S)


def say(cluster, node, command):
    result = run(cluster, node, command)
    assert result.status == 0, (command, result)
    return result.text


def fence(cluster, node):
    return int(say(cluster, node, "lock demo -- sh -c 'echo $FENCE'"))


def test_recovery_by_hand(joined):
    cluster = joined
    say(cluster, 2, "put kept yes")
    earlier = fence(cluster, 2)
    refused = run(cluster, 1, "raft recover")
    assert refused.status == 1 and "a majority of the voters lives" in refused.text

    cluster.kill(2)
    cluster.kill(3)
    cluster.wait_until(lambda: "Refused" not in run(cluster, 1, "raft recover").text, "it may be recovered", HANG_S)
    asked = run(cluster, 1, "raft recover")  # there is no terminal to type at
    assert asked.status == 1 and "cannot be typed here" in asked.text and "nothing was done" in asked.text
    assert len(re.findall(r"node \d \(log [0-9a-f]{16}\)  voter    LOST", asked.text)) == 2, asked.text
    assert "better log" in asked.text and "sessions, locks and registered names end" in asked.text
    name = cluster.status()["name"]
    assert run(cluster, 1, "raft recover --yes-lose-data another").status == 1
    say(cluster, 1, f"raft recover --yes-lose-data {name}")
    cluster.wait_quorum([1], HANG_S)
    cluster.wait_until(lambda: run(cluster, 1, "get kept").text == "yes\n", "what was acknowledged is there", HANG_S)
    assert fence(cluster, 1) > earlier
    say(cluster, 1, "put since then")

    cluster.restart(2)
    cluster.wait_shell(2, HANG_S)
    cluster.wait_until(lambda: "raft wipe" in run(cluster, 2, "status").text, "the old one says what it may do", HANG_S)
    cluster.wait_until(lambda: re.search(r"^\s*2 .* refused .* older epoch", say(cluster, 1, "nodes"), re.M),
                       "it is shown as refused", HANG_S)
    say(cluster, 2, f"raft wipe --yes-lose-data {name}")
    cluster.wait_quorum([2], HANG_S)
    cluster.wait_until(lambda: run(cluster, 2, "get since").text == "then\n", "it is in the new epoch", HANG_S)
    assert re.search(r"^\s*2 .* up .* (learner|voter)", say(cluster, 1, "nodes"), re.M)
