"""Who may do what with the cluster service: a narrowed handle for every class of operations, prefixes, attempts to get
more, here and from another node."""
import re

HANG_S = 300.0  # limits only detect hangs
NEEDS = {
    "status": {"status"}, "nodes": {"status"}, "raft": {"status"}, "wait_state": {"status"},
    "get": {"read"}, "list": {"read"}, "lock_list": {"read"}, "job_list": {"read"},
    "put": {"write"}, "del": {"write"}, "session_open": {"sessions"}, "append": {"write", "sessions"},
    "lock": {"locks"}, "unlock": {"locks"}, "name_register": {"names"}, "name_lookup": {"names"},
    "node_service": {"nodes"}, "job_submit": {"jobs"}, "job_kill": {"jobs"},
    "node_offer": {"serve"}, "job_next": {"serve"}, "job_report": {"serve"},
}
PREFIXED = {"get", "list", "put", "del", "append", "lock", "unlock", "name_register", "name_lookup"}
SHELL = {"status", "read", "write", "locks", "names", "sessions", "nodes", "jobs", "admin"}


def run(cluster, node, command):
    return cluster.exec(node, command, limit=HANG_S)


def say(cluster, node, command):
    result = run(cluster, node, command)
    assert result.status == 0, (command, result)
    return result.text


def outcomes(text):
    return dict(line.split(" ", 1) for line in text.splitlines())


def expected(classes, in_prefix=True):
    return {op: "allowed" if needs <= classes and (in_prefix or op not in PREFIXED) else "refused"
            for op, needs in NEEDS.items()}


def permitted(text):
    return {line.split()[0] for line in text.splitlines() if " yes " in line}


def test_every_class_and_prefix_is_enforced(joined):
    assert permitted(say(joined, 1, "allow")) == SHELL
    for one in sorted(SHELL):
        assert outcomes(say(joined, 1, f"allow {one} -- authority try app/{one}")) == expected({one}), one
    everything = " ".join(sorted(SHELL))
    assert outcomes(say(joined, 1, f"allow --under app/ {everything} -- authority try app/x")) == expected(SHELL)
    assert outcomes(say(joined, 1, f"allow --under app/ {everything} -- authority try ap")) == expected(SHELL, False)
    assert permitted(say(joined, 1, "allow -- allow")) == set()

    # Never more, also not by what a program starts.
    assert run(joined, 1, "allow serve -- true").status == 126
    assert say(joined, 1, "allow --under app/ read locks -- authority widen") == "never wider\n"
    assert run(joined, 1, "allow read -- allow read write -- true").status == 126
    assert run(joined, 1, "allow --under app/ read -- allow --under ap read -- true").status == 126
    assert permitted(say(joined, 1, "allow read -- sh -c allow")) == {"read"}

    # On another node a program has what its caller has, of that node's own service.
    assert permitted(say(joined, 1, "on 3 allow")) == SHELL
    text = say(joined, 1, "allow --under app/ status read nodes -- on 3 allow")
    assert permitted(text) == {"status", "read", "nodes"} and "begin with app/" in text
    assert outcomes(say(joined, 1, "allow status write nodes --under app/ -- on 2 authority try app/y")) == \
        expected({"status", "write", "nodes"})
    assert say(joined, 1, "allow --under app/ status nodes -- on 3 authority widen") == "never wider\n"
    assert permitted(say(joined, 1, "authority bare 3")) == set()

    # A job has what its submitter had, wherever it is placed.
    job = re.search(r"job (\d+)", say(joined, 2, "allow jobs read --under app/ -- run -n 3 --job allow"))[1]
    done = re.compile(rf"^\s*{job}\.\d\s+(\d)\s+ended\s+0\s", re.M)
    joined.wait_until(lambda: len(done.findall(say(joined, 2, "placements"))) == 3, "the job has run", HANG_S)
    for instance, node in enumerate(done.findall(say(joined, 2, "placements"))):
        text = say(joined, int(node), f"cat /tmp/job-{job}.{instance}")
        assert permitted(text) == {"jobs", "read"} and "begin with app/" in text
