"""One client binary against a server here and on another node, and each caller's answer while links, servers and network
servers go away under it: one of four, and never more than one execution a call."""
import json
import os
import threading

import pytest

HANG_S = float(os.environ.get("HANG_S", "300"))  # limits only detect hangs
STORM_MS = 8000


class Background:
    """A command on a node that goes on while the test does something else."""

    def __init__(self, cluster, node, command):
        self.result = self.error = None
        self.thread = threading.Thread(target=self.run, args=(cluster, node, command))
        self.thread.start()

    def run(self, cluster, node, command):
        try:
            self.result = cluster.exec(node, command, limit=HANG_S)
        except Exception as error:  # handed to who waits
            self.error = error

    def wait(self):
        self.thread.join(HANG_S)
        assert not self.thread.is_alive(), "it hangs"
        if self.error:
            raise self.error
        return self.result


def serve(cluster, node, name="calls"):
    """A call_server on `node`, in the background of its console's shell."""
    cluster.type(node, f"call_server {name} > /tmp/{name}.log &\n")
    cluster.wait_until(lambda: "serving" in cluster.exec(node, f"cat /tmp/{name}.log", limit=HANG_S).text,
                       f"{name} on node {node}", HANG_S)


def outcomes(text):
    line = next(line for line in text.splitlines() if line.startswith("{"))
    return {int(i): outcome for i, outcome in json.loads(line).items()}


def judge(cluster, node, text, name="calls"):
    """The server is asked how often each call was executed."""
    line = next(line for line in text.splitlines() if line.startswith("{"))
    path = "/tmp/storm.json"
    for start in range(0, len(line), 900):
        redirect = ">" if start == 0 else ">>"
        assert cluster.exec(node, f"echo -n '{line[start:start + 900]}' {redirect} {path}", limit=HANG_S).status == 0
    result = cluster.exec(node, f"call_client {name} judge < {path}", limit=HANG_S)
    assert result.status == 0, result.text


def test_one_binary_here_and_there(joined):
    serve(joined, 3, "here")
    serve(joined, 2, "there")
    here = joined.exec(3, "call_client here basics", limit=HANG_S)
    there = joined.exec(3, "call_client there basics", limit=HANG_S)
    assert here.status == 0, here.text
    assert there.status == 0, there.text
    assert here.text == there.text


@pytest.mark.parametrize("one_way", [False, True])
def test_link_cut_in_the_middle_of_calls(joined, one_way):
    serve(joined, 3)
    storm = Background(joined, 1, f"call_client calls storm 0 {STORM_MS} 5")
    joined.wait_until(lambda: joined.exec(3, "call_client calls judge < /etc/supervisor.conf").status == 1, "the server answers",
                      HANG_S)
    for _ in range(3):
        joined.cut(1, 3, one_way=one_way)
        joined.wait_until(lambda: joined.exec(2, "status").status == 0, "node 2 goes on", HANG_S)
        joined.heal(1, 3)
        joined.wait_until(lambda: joined.exec(2, "status").status == 0, "node 2 goes on", HANG_S)
    result = storm.wait()
    ended = outcomes(result.text)
    assert "ok" in ended.values()
    assert set(ended.values()) <= {"ok", "not_delivered", "unknown", "gone", "dropped"}
    judge(joined, 3, result.text)


def test_server_killed_in_the_middle_of_calls(joined):
    serve(joined, 3)
    storm = Background(joined, 1, f"call_client calls storm 0 {STORM_MS} 20")
    joined.wait_until(lambda: "call_server" in joined.exec(3, "ps").text, "the server runs", HANG_S)
    row = next(line for line in joined.exec(3, "ps").text.splitlines() if "call_server" in line)
    assert joined.exec(3, f"kill {row.split()[0]}").status == 0
    serve(joined, 3)
    ended = outcomes(storm.wait().text)
    assert set(ended.values()) <= {"ok", "not_delivered", "unknown", "gone", "dropped"}
    most = joined.exec(1, "call_client calls storm 190000 200 0", limit=HANG_S)
    assert "ok" in outcomes(most.text).values(), "the server's next life is found"


@pytest.mark.parametrize("node", [1, 3])
def test_network_server_killed_in_the_middle_of_calls(joined, node):
    serve(joined, 3)
    storm = Background(joined, 1, f"call_client calls storm 0 {STORM_MS} 5")
    assert joined.exec(node, "service stop net").status == 0
    result = storm.wait()
    ended = outcomes(result.text)
    assert "ok" in ended.values()
    assert set(ended.values()) <= {"ok", "not_delivered", "unknown", "gone", "dropped"}
    judge(joined, 3, result.text)
