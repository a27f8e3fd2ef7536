"""The replicated tables from the shell: locks, jobs, and the servers under them that die."""
import re

HANG_S = 300.0  # limits only detect hangs
ALL = (1, 2, 3)


def say(cluster, node, command):
    result = cluster.exec(node, command, limit=HANG_S)
    assert result.status == 0, result
    return result.text


def test_servers_under_the_cluster_die(joined):
    for server in ("logstore", "net"):
        for node in ALL:
            say(joined, node, f"service stop {server}")
        say(joined, 1, f"put last {server}")
        assert say(joined, 3, "get last").strip() == server
    joined.wait_quorum(ALL, HANG_S)


def test_lock_of_a_dead_node_comes_free(joined):
    joined.type(3, "lock treasure -- sleep 1000\n")
    joined.wait_until(lambda: "treasure" in say(joined, 1, "lock --list"), "the lock is held", HANG_S)
    joined.kill(3)
    assert say(joined, 1, "lock treasure -- echo mine").strip() == "mine"


def test_locks_stand_in_line_across_nodes(joined):
    joined.type(1, "lock gate -- sleep 3\n")
    joined.wait_until(lambda: "gate" in say(joined, 2, "lock --list"), "the lock is held", HANG_S)
    assert say(joined, 2, "lock gate -- echo after").strip() == "after"
    assert "gate" not in say(joined, 3, "lock --list")


def test_a_job_is_placed_and_ends(joined):
    job = re.search(r"job (\d+)", say(joined, 2, "run --job echo from the cluster"))[1]
    row = re.compile(rf"^\s*{job}\.0\s+\d\s+ended\s+0\s", re.M)
    joined.wait_until(lambda: row.search(say(joined, 3, "placements")), "the job has run", HANG_S)
