"""A round: a new cluster, clients on each node, faults as the seed draws them, and the judgement."""
import os
import pathlib
import random
import re
import shutil
import sys
import tempfile
import time

import history
from shoalcluster.client import Cluster
from shoalcluster.paths import ClusterError

from . import faults
from .record import Recorder, now

HANG_S = float(os.environ.get("HANG_S", "300"))
ASK_S = 30.0        # for an answer of a node that may be harmed
WORDS_S = 10.0
CLOCK_PPM = 5000     # the most that a node can be told; two of them stay within what histories are judged with
FIRST_VOTERS = 3
FIVE_EVERY = 3       # of the seeds, one in so many has five nodes
SHORT_S, LONG_S = (1.0, 6.0), (6.0, 14.0)  # a fault; the latter outlasts leases, elections and suspicions
VOTES = re.compile(r"^node .*, votes, durable;(?!.*NO QUORUM)", re.M)


class Field:
    """The cluster of a round, its clients, and its machines' power."""

    def __init__(self, cluster, recorder, nodes, draw, say):
        self.cluster, self.recorder, self.random, self.say = cluster, recorder, draw, say
        self.nodes = list(nodes)

    def others(self, *without):
        return [node for node in self.nodes if node not in without]

    # ---- asking ----

    def run(self, node, command):
        return self.cluster.exec(node, command, limit=HANG_S)

    def try_run(self, node, command):
        """Whether a node did it; one that is harmed need not answer."""
        try:
            return self.cluster.exec(node, command, limit=ASK_S).status == 0
        except ClusterError as error:
            self.say(f"    {command}: {error}")
            return False

    def wait_until(self, what, condition):
        return self.cluster.wait_until(condition, what, HANG_S)

    def leader(self):
        """Who leads, by the word of any node; all is well."""
        found = self.wait_until("a node names the leader", lambda: re.search(
            r"^leader\s+node ([1-9]\d*)", self.run(self.random.choice(self.nodes), "raft").text, re.M))
        return int(found[1])

    def wait_acknowledged(self, nodes, count):
        """Until so many operations more were acknowledged to one of these nodes' clients."""
        before = {node: self.recorder.acknowledged(node) for node in nodes}
        self.wait_until("operations go on", lambda: any(
            self.recorder.acknowledged(node) >= before[node] + count for node in nodes))

    # ---- machines ----

    def cut_power(self, node):
        self.cluster.kill(node)
        self.recorder.lost(node)

    def power_on(self, node, blank_disk=False, clients=True):
        since = self.cluster.position(node)
        self.cluster.restart(node, blank_disk=blank_disk)
        self.cluster.wait_shell(node, HANG_S)
        if clients:
            self.recorder.start(node, since=since)

    def start_clients(self, node):
        self.recorder.start(node, since=self.recorder.position_of_prompt(node))

    def heal_links(self, node):
        for other in self.others(node):
            self.cluster.heal(node, other)

    # ---- all is well ----

    def whole(self):
        """All are members, vote, and acknowledge what their clients ask."""
        self.cluster.wait_quorum(self.nodes, HANG_S)
        for node in self.nodes:
            self.wait_until(f"node {node} votes", lambda: VOTES.search(self.run(node, "status").text))
        for node in self.nodes:
            self.wait_acknowledged([node], 10)

    def keep_words(self, folder):
        for node in self.nodes:
            with open(folder / f"words{node}", "w") as stream:
                for command in ("nodes", "status", "ps", "raft", "lock --list", "log"):
                    try:
                        stream.write(f"$ {command}\n{self.cluster.exec(node, command, limit=WORDS_S).text}\n")
                    except ClusterError as error:
                        stream.write(f"{error}\n")


def episode(field):
    """A few faults at once, for a while; then all is healed, in any order, and must be well again."""
    leader = field.leader()
    chosen = faults.draw(field.random, field.nodes, leader)
    lasts = field.random.uniform(*field.random.choice((SHORT_S, LONG_S)))
    words = ", ".join(f"{name} {victim}" for name, victim in chosen)
    field.say(f"{words}; {lasts:.0f} s; {leader} leads")
    began, ends = now(), []
    try:
        for name, victim in chosen:
            ends.append(faults.FAULTS[name](field, victim))
        time.sleep(lasts)  # the fault itself
        # What needs nobody is healed first; what needs the others, after that.
        order = [(name in faults.NEED_SHELL, name in faults.LOSE_DISK, field.random.random(), end)
                 for (name, _), end in zip(chosen, ends)]
        for *_, end in sorted(order, key=lambda entry: entry[:3]):
            end()
        field.whole()
    finally:
        field.recorder.fault(began, words, faults.end_leases(chosen))


def nodes_of(seed):
    return range(1, 1 + (5 if seed % FIVE_EVERY == 0 else FIRST_VOTERS))


def drifts(seed, nodes):
    """Lines of configuration: how much each node's clock runs fast or slow, in three rounds of four. Of a random generator of
    its own: what else a seed draws is as it was."""
    draw = random.Random(f"clocks {seed}")
    if draw.random() < 0.25:
        return []
    return [(node, f"clock_ppm = {draw.choice((-CLOCK_PPM, CLOCK_PPM, draw.randint(-CLOCK_PPM, CLOCK_PPM)))}") for node in nodes]


def begin(folder, seed, build):
    place = tempfile.mkdtemp(prefix="shoal-n")
    cluster = Cluster.up(folder=os.path.join(place, "c"), attached=True, logs=str(folder), nodes=len(nodes_of(seed)), boot="pvh",
                         accel="tcg", seed=seed, power=False, conf=drifts(seed, nodes_of(seed)), **({"build": build} if build else {}))
    return cluster, place


def power_on(cluster, nodes):
    """Those that come later are numbered as they come, so each waits until the one before has its number: the same as its
    machine's."""
    for node in nodes:
        if node > FIRST_VOTERS:
            cluster.wait_quorum(range(1, node), HANG_S)
        cluster.power_on(node)
    for node in nodes:
        cluster.wait_shell(node, HANG_S)
    cluster.wait_quorum(nodes, HANG_S)


def run_round(seed, seconds, folder, build=None, out=sys.stdout):
    """True: the history is sound, and all was well after each episode. All that is known of it stays in the folder."""
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = time.monotonic()

    def say(words):
        with open(folder / "nemesis.log", "a") as stream:
            stream.write(f"{time.monotonic() - started:7.1f} s  {words}\n")

    nodes = nodes_of(seed)
    cluster, place = begin(folder, seed, build)
    recorder = field = None
    try:
        power_on(cluster, nodes)
        recorder = Recorder(cluster, folder / "record", seed, HANG_S)
        field = Field(cluster, recorder, nodes, random.Random(seed), say)
        for node in nodes:
            recorder.start(node)
        field.whole()
        say(f"{len(nodes)} nodes vote; {', '.join(f'{node}: {line}' for node, line in drifts(seed, nodes)) or 'true clocks'}")
        episodes = 0
        while episodes == 0 or time.monotonic() < started + seconds:
            episode(field)
            episodes += 1
        recorder.stop()
        recorder.read_all(field.random.choice(nodes))
    except BaseException as error:
        say(f"FAILED: {error!r}")
        if field:
            field.keep_words(folder)
        print(f"seed {seed}: {error}", file=out, flush=True)
        if not isinstance(error, (ClusterError, TimeoutError)):
            raise
        return False
    finally:
        if recorder:
            recorder.close()
        cluster.down()
        shutil.rmtree(place, ignore_errors=True)
    status, words = history.judge(folder / "record", folder / "history")
    say(words)
    seen = history.counts(folder / "record")
    print(f"seed {seed}: {len(nodes)} nodes, {episodes} episodes in {time.monotonic() - started:.0f} s, {seen.get('ok', 0)} acknowledged, "
          f"{seen.get('fail', 0)} refused, {seen.get('info', 0)} not known: "
          f"{'sound' if status == 0 else 'not known' if status == 3 else 'NOT SOUND'}", file=out, flush=True)
    print(f"  {words.splitlines()[-1]}", file=out, flush=True)
    if status:
        print(words, file=out, flush=True)
    return status == 0
