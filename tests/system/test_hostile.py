"""A network server that is hostile to the cluster: on one node its part that carries the kernel's frames loses, delays, doubles,
alters, replays and forges them, lies of the network, and puts into the shared rings what cannot be. It can only drop or delay:
kernel and members are unharmed, what clients saw is linearizable, what was refused is counted and told, and all is well again
when it behaves."""
import os
import pathlib
import re

import mkimage
from faults import ALL, HANG_S, Harmed, others
from shoalcluster import paths

HARMS = 40  # so often each kind of harm is done at least
# mode: (what `nodes` on the hostile node counts then, what on another one)
MODES = {"drop": (None, None), "delay": (None, None), "double": ("replayed", "replayed"), "flip": ("damaged", "damaged"),
         "replay": ("replayed", "replayed"), "forge": ("wrong key", None), "redirect": (None, None),
         "records": ("malformed records", None), "lies": (None, None), "signal": (None, None), "indices": ("broken rings", None),
         "scribble": ("broken rings", None), "attach": (None, None), "all": (None, None)}
TOLD = ("the network server gave what is no datagram: refused", "the network server broke its rings: they are not used any more")


def hostile_build(folder):
    """A build whose bundle has the hostile server in the network server's place."""
    built, place = pathlib.Path(paths.build_folder()), pathlib.Path(folder)
    place.mkdir()
    parts = [part for part in mkimage.parse((built / "shoal.img").read_bytes()) if part.name != "sym/bin/net"]
    at = next(number for number, part in enumerate(parts) if part.name == "bin/net")
    parts[at] = mkimage.Part("bin/net", mkimage.KIND_FILE, 0o555, (built / "hostile_net").read_bytes())
    (place / "shoal.img").write_bytes(mkimage.build(parts))
    os.symlink(built / "kernel.elf", place / "kernel.elf")
    return str(place)


def counted(harmed, node, kind):
    """How many of that kind `nodes` there shows as refused."""
    text = harmed.run(node, "nodes").text
    found = re.search(r"broken rings (\d+) times" if kind == "broken rings" else rf"(\d+) {kind}", text)
    return int(found[1]) if found else 0


def order(harmed, node, mode):
    """(mode, how often it has done harm in it)."""
    said = harmed.run(node, f"hostile {mode}".strip()).text.split()
    assert len(said) == 2, said
    return said[0], int(said[1])


def misbehaves(harmed, node, mode, kinds):
    """The others go on meanwhile; this node's shell works; what was refused is counted; then all is well."""
    watched = [(at, kind) for at, kind in zip((node, others(node)[0]), kinds) if kind]
    before = {entry: counted(harmed, *entry) for entry in watched}
    harmed.say(f"{mode} on node {node}")
    assert order(harmed, node, mode)[0] == mode
    harmed.until("it has done enough harm", lambda: order(harmed, node, "?")[1] >= HARMS)
    harmed.shells_work(ALL)
    harmed.progress(others(node))
    for entry in watched:
        harmed.until(f"node {entry[0]} counts {entry[1]}", lambda: counted(harmed, *entry) > before[entry])
    assert order(harmed, node, "honest")[0] == "honest"
    harmed.whole()


def test_a_hostile_network_server_can_only_drop_and_delay(start, logs, tmp_path):
    build = hostile_build(tmp_path / "hostile")
    harmed = Harmed(start(nodes=3, node_settings={str(node): {"build": build} for node in ALL}), logs)
    for turn, (mode, kinds) in enumerate(MODES.items()):
        misbehaves(harmed, harmed.leader() if turn % 2 else harmed.follower(), mode, kinds)
    misbehaves(harmed, harmed.leader(), "all", (None, None))
    told = "".join(harmed.run(node, "log").text for node in ALL)
    for words in TOLD:
        assert words in told
    for node in ALL:
        assert "were TAKEN" not in harmed.cluster.console_text(node)
        state, restarts = harmed.services(node)["net"]
        assert (state, restarts) == ("running", 0)
    good, words = harmed.judge()
    assert good, words
