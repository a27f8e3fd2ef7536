"""Who may do what with the cluster service: a narrowed handle for every class of operations, prefixes, attempts to get
more, here and from another node."""
import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parents[2]
HANG_S = 300.0  # limits only detect hangs
NEEDS = {
    "status": {"status"}, "nodes": {"status"}, "raft": {"status"}, "wait_state": {"status"},
    "get": {"read"}, "list": {"read"}, "lock_list": {"read"}, "job_list": {"read"},
    "put": {"write"}, "del": {"write"}, "session_open": {"sessions"}, "append": {"write", "sessions"},
    "lock": {"locks"}, "unlock": {"locks"}, "name_register": {"names"}, "name_lookup": {"names"},
    "node_service": {"nodes"}, "job_submit": {"jobs"}, "job_kill": {"jobs"},
    "key": {"key"}, "node_offer": {"serve"}, "job_next": {"serve"}, "job_stop_next": {"serve"}, "job_report": {"serve"},
}
PREFIXED = {"get", "list", "put", "del", "append", "lock", "unlock", "name_register", "name_lookup"}
SHELL = {"status", "read", "write", "locks", "names", "sessions", "nodes", "jobs", "admin", "key"}


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


def test_what_a_process_holds_is_its_own(joined):
    mine = "status read write locks names sessions nodes jobs"  # all of a shell's but admin
    joined.type(1, "lock gate -- sleep 1000 &\n")
    joined.wait_until(lambda: "gate" in say(joined, 2, "lock --list"), "the lock is held", HANG_S)
    fence = re.search(r"^gate .* (\d+)$", say(joined, 2, "lock --list"), re.M)[1]
    for node in (1, 2):
        assert say(joined, node, f"allow {mine} -- authority unlock gate {fence}") == "unlock refused\n"
    assert "gate" in say(joined, 2, "lock --list")
    assert say(joined, 2, f"authority unlock gate {fence}") == "unlock allowed\n"  # an administrator may
    assert "gate" not in say(joined, 2, "lock --list")

    joined.type(1, "authority session own > /tmp/session &\n")
    joined.wait_until(lambda: re.search(r"^session \d", run(joined, 1, "cat /tmp/session").text), "the session is open", HANG_S)
    session = say(joined, 1, "cat /tmp/session").split()[1]
    assert say(joined, 1, f"authority append own {session}") == "append refused\n"
    assert say(joined, 2, f"authority append own {session}") == "append allowed\n"  # E_NO_SESSION: not of that node
    assert say(joined, 3, "get own") == "v\n"


def test_no_process_takes_all_sessions(joined):
    full = re.search(r"^ERROR\(E_FULL, (\d+),", (TOP / "abi/errno.def").read_text(), re.M)[1]
    most = re.search(r"TABLES_OWNER_SESSIONS +(\d+)u", (TOP / "lib/tables/include/tables/tables.h").read_text())[1]
    filled = f"{most} sessions, then error {full}\n"
    for file in ("/tmp/fill1", "/tmp/fill2"):  # one after the other: each process has the same to itself
        joined.type(1, f"authority fill > {file} &\n")
        joined.wait_until(lambda file=file: run(joined, 1, f"cat {file}").text == filled, "it has all that it may", HANG_S)
    assert say(joined, 1, "put --ephemeral others yes -- get others") == "yes\n"


def test_no_process_takes_all_proposals(joined):
    """Nothing is decided any more, and a program goes on asking and giving up: another one can ask just as often."""
    full = re.search(r"^ERROR\(E_FULL, (\d+),", (TOP / "abi/errno.def").read_text(), re.M)[1]
    most = int(re.search(r"NODE_REQUESTS_MAX +(\d+)u", (TOP / "kernel/cluster/node.h").read_text())[1]) // 4
    for node in (2, 3):
        joined.kill(node)
    for file in ("/tmp/flood1", "/tmp/flood2"):
        joined.type(1, f"authority flood > {file} &\n")
        said = joined.wait_until(lambda file=file: "error" in (text := run(joined, 1, f"cat {file}").text) and text,
                                 "it has all that it may", HANG_S)
        count, error = re.fullmatch(r"(\d+) unknown, then error (\d+)\n", said).groups()
        assert int(count) >= most and error == full, said
    for node in (2, 3):
        joined.restart(node)
    joined.wait_until(lambda: run(joined, 1, "put others yes").status == 0, "all goes on", HANG_S)


def instances(cluster, node, job):
    """[(node, state, status)] of a job's rows."""
    return rows_of(say(cluster, node, "placements"), job)


def rows_of(text, job):
    return re.findall(rf"^\s*{job}\.\d+\s+(\d+)\s+(\w+)\s+(\d+)\s", text, re.M)


def submit(cluster, node, words):
    job = re.search(r"job (\d+)", say(cluster, node, f"run {words}"))[1]
    return job


def all_are(cluster, node, job, state):
    """Waits for it, also while the node's process server is being started again and starts nothing."""
    cluster.wait_until(lambda: {row[1] for row in rows_of(run(cluster, node, "placements").text, job)} == {state},
                       f"job {job} is {state}", HANG_S)


def running(cluster, node, program):
    """Rows of `ps`, also those of nodes of which it is not known."""
    return [line for line in say(cluster, node, "ps").splitlines()
            if (f" {program} " in line and "running" in line) or "no answer" in line]


def test_a_killed_job_ends_everywhere(joined):
    job = submit(joined, 1, "-n 3 --job sleep 1000")
    all_are(joined, 1, job, "running")
    assert {row[0] for row in instances(joined, 1, job)} == {"1", "2", "3"}
    assert say(joined, 2, f"kill --job {job}") == f"job {job}: 3 killed, 0 had ended\n"
    assert {row[1:] for row in instances(joined, 3, job)} == {("killed", "15")}
    joined.wait_until(lambda: not running(joined, 1, "sleep"), "nothing of it runs", HANG_S)

    # One that has ended keeps its own end.
    job = submit(joined, 1, "--job true")
    all_are(joined, 1, job, "ended")
    assert say(joined, 1, f"kill --job {job}") == f"job {job}: 0 killed, 1 had ended\n"
    assert run(joined, 1, "kill --job 99999").status == 1

    # A node that was away when the kill was committed ends its instance when it hears of it, whatever its row says.
    job = submit(joined, 1, "-n 3 --job sleep 1000")
    all_are(joined, 1, job, "running")
    joined.cut(1, 3)
    joined.cut(2, 3)
    joined.wait_until(lambda: re.search(r"killed|have ended|is to end", run(joined, 1, f"kill --job {job}").text), "it is killed", HANG_S)
    joined.heal(1, 3)
    joined.heal(2, 3)
    joined.wait_until(lambda: not running(joined, 1, "sleep"), "nothing of it runs", HANG_S)
    joined.wait_until(lambda: {row[1] for row in instances(joined, 1, job)} <= {"killed", "lost"}, "their rows say so", HANG_S)

    # A process server that was started again knows its jobs. These ended with its predecessor, since their shells lost
    # sight of what they waited for: their ends are told, by who comes after.
    job = submit(joined, 1, "-n 3 --job sleep 1000")
    all_are(joined, 1, job, "running")
    for node in (1, 2, 3):
        joined.type(node, "service stop process\n")
    all_are(joined, 1, job, "ended")
    assert {row[2] for row in instances(joined, 3, job)} == {"125"}
