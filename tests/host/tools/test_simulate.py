"""What the simulator writes for tools: its trace, its clients' history, its statuses, and a failing seed made small."""
import json
import os
import pathlib
import re
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[3]
BUILD = TOP / os.environ.get("BUILD", "build")
SIMULATE, LINEAR = BUILD / "sim" / "simulate", BUILD / "host" / "linear"
CALLS = {"read", "write", "cas", "append", "acquire", "release"}
EVENTS = {"InitState", "BecomeFollower", "BecomeCandidate", "BecomeLeader", "Replicate", "Commit", "ChangeConf", "ApplyConfChange",
          "Ready", "SendAppendEntriesRequest", "ReceiveAppendEntriesRequest", "SendAppendEntriesResponse",
          "ReceiveAppendEntriesResponse", "SendRequestVoteRequest", "ReceiveRequestVoteRequest", "SendRequestVoteResponse",
          "ReceiveRequestVoteResponse", "SendSnapshot", "ReceiveSnapshot"}


def events_of(path):
    with open(path) as stream:
        return [json.loads(line) for line in stream]


def run_seed(seed, folder):
    done = subprocess.run([SIMULATE, "--seed", str(seed), "--seconds", "10", "--trace-json", folder / "trace",
                           "--history", folder / "history"], capture_output=True, text=True, check=True)
    return done.stdout


def has_everything(folder):
    return ({line["event"]["name"] for line in events_of(folder / "trace")} == EVENTS and
            {line["f"] for line in events_of(folder / "history")} >= CALLS)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The first seed in which everything happens: which it is, folder and text."""
    folder = tmp_path_factory.mktemp("simulate")
    for seed in range(1, 200):
        text = run_seed(seed, folder)
        if has_everything(folder):
            return folder, text, seed
    pytest.fail("in no seed does everything happen")


def test_trace(written):
    lines = events_of(written[0] / "trace")
    assert all(line["tag"] == "trace" for line in lines)
    events = [line["event"] for line in lines]
    assert {e["name"] for e in events} == EVENTS
    for e in events:
        assert isinstance(e["nid"], str) and e["role"] in ("StateFollower", "StateCandidate", "StateLeader")
        assert isinstance(e["log"], int) and isinstance(e["state"]["vote"], str)
        assert all(isinstance(i, str) for half in e["conf"] for i in half)
        assert ("msg" in e) == (e["name"].startswith(("Send", "Receive")))


def test_trace_tells_one_story(written):
    """Terms never fall; one leader a term; what is received was sent; a leader's log grows by one at a time."""
    leaders, terms, sent, logs = {}, {}, {}, {}
    for e in (line["event"] for line in events_of(written[0] / "trace")):
        node, term = e["nid"], e["state"]["term"]
        assert e["name"] == "InitState" or term >= terms.get(node, 0)
        terms[node] = term
        if e["name"] == "BecomeLeader":
            assert leaders.setdefault(term, node) == node
        if e["name"] == "Replicate":
            assert e["role"] == "StateLeader"
        if "msg" in e:
            name = json.dumps(e["msg"], sort_keys=True)
            sent[name] = sent.get(name, 0) + e["name"].startswith("Send")
            assert sent[name] > 0, f"{name} was received and never sent"
        logs[node] = e["log"]
    assert leaders


def test_same_seed_same_story(written, tmp_path):
    run_seed(written[2], tmp_path)
    assert (tmp_path / "trace").read_bytes() == (written[0] / "trace").read_bytes()


def test_history_is_judged_alike(written):
    path = written[0] / "history"
    assert subprocess.run([LINEAR, path], capture_output=True, check=False).returncode == 0
    events = events_of(path)
    assert {e["f"] for e in events} >= CALLS
    assert [e["at"] for e in events] == sorted(e["at"] for e in events)
    locks = [i for i, e in enumerate(events) if e["f"] == "acquire" and e["t"] == "ok"]
    events[locks[-1]] = {**events[locks[-1]], "tok": 1}
    path = written[0] / "spoilt"
    path.write_text("".join(json.dumps(e) + "\n" for e in events))
    assert subprocess.run([LINEAR, path], capture_output=True, check=False).returncode == 1


def test_counts_and_speed_are_told(written):
    for word in ("elections", "snapshots installed", "configurations", "damage found", "locks in line"):
        assert re.search(rf"^{word} +\d+$", written[1], re.M), word
    assert re.search(r"times on one core", written[1])


def test_too_quiet_weather_fails():
    """Without crashes a batch passes no more, though no seed fails."""
    done = subprocess.run([SIMULATE, "--seeds", "200", "--seconds", "1", "--without", "crash,promise,damage"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and re.search(r"^FAILED: only \d+ crashes in 200 seeds", done.stdout, re.M)


def test_shrinking(tmp_path):
    """A planted bug's failing seed becomes a smaller run that fails in the same way."""
    assert "does not fail" in subprocess.run([SIMULATE, "--shrink", "1", "--seconds", "2"], capture_output=True, text=True,
                                             check=True).stdout
    done = subprocess.run(["make", "-s", "mutants", "ONLY=half-is-a-majority", f"KEEP={tmp_path}"], cwd=TOP,
                          capture_output=True, text=True, check=False)
    seed = re.search(r"seed (\d+)", done.stdout)
    assert seed, done.stdout + done.stderr
    binary = tmp_path / "half-is-a-majority"
    done = subprocess.run([binary, "--shrink", seed[1]], capture_output=True, text=True, check=False)
    assert done.returncode == 129, done
    command = re.search(r"^simulate (--seed .*)$", done.stdout, re.M)[1]
    assert "--without" in command and int(re.search(r"--seconds (\d+)", command)[1]) < 60
    again = subprocess.run([binary, *command.split()], capture_output=True, text=True, check=False)
    assert again.returncode == 129
