#!/usr/bin/python3
"""Makes one history of what was recorded of a live cluster's clients, and judges it.

    history.py RECORD [--keep HISTORY]

RECORD is what tools/shoalnemesis/record.py wrote. The history, in the form of docs/012-interfaces-for-tools.md, goes beside it
(or to HISTORY) and to build/host/linear. Ends with 0: sound; 1: it is not; 3: the search was given up.

Time. Each machine has a clock of its own, which may stand still (the machine is stopped) and need not run at the host's
speed. All that is believed of it: it does not go back, and never runs faster than the host's by more than DRIFT. The host
sends marks; a machine answers each with the moment, on its clock, at which it had it. So an event at X on that clock was not
before the sending of any mark that it had by then, plus what passed there since; and not after the reading of any line
that it wrote afterwards, less what passed there until then. An operation's beginning gets the first bound, its end the
second: intervals only widen, which can hide a fault but never invents one.

What a power cut loses. Lines that a machine had not sent when its power was cut are gone, beginnings of operations among
them. Values tell who wrote them with which operation: what is seen of such an operation stands for its beginning. Of the
operations on locks nothing can be seen; so a client of locks that was cut may have acquired once more. Nor is seen who removed a
task; so one that nobody is known to have taken may have been taken by a client that was cut.
"""
import argparse
import bisect
import json
import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
DRIFT = 0.01
LEASE_NS = 6_000_000_000  # of the tables, and what a report of it may be late
SILENCE_NS = 1_000_000_000  # a node that is not heard for shorter keeps its lease
LOCKS = 2                 # of a generation, as in user/bin/load/load.h
ADDED = 1_000_000         # operations from this number on are not the client's own
ACCOUNT = re.compile(r";a(\d)=(\d+)")
TAG = re.compile(r"^((n\d+\.\d+)\.\w+)\.(\d+)")


class RecordError(Exception):
    """The record cannot be understood."""


class Clock:
    """One machine's clock against the host's: bounds of the host's moment for a moment there."""

    def __init__(self, marks, lines, first_sent=None):
        """marks: [(sent on the host, taken there)], lines: [(written there, read on the host)], in order. first_sent: of all
        marks, also those whose answer was lost on the console; nothing is done before one was taken."""
        self.first_sent = first_sent
        self.mark_at, self.lower_base = [], []
        base = float("-inf")
        for sent, taken in sorted(marks, key=lambda mark: mark[1]):
            base = max(base, sent - taken * (1 - DRIFT))
            self.mark_at.append(taken)
            self.lower_base.append(base)
        lines = sorted(lines)
        self.line_at = [written for written, _ in lines]
        self.upper_base = [0.0] * len(lines)
        base = float("inf")
        for i in range(len(lines) - 1, -1, -1):
            base = min(base, lines[i][1] - lines[i][0] * (1 - DRIFT))
            self.upper_base[i] = base

    def not_before(self, at):
        found = bisect.bisect_left(self.mark_at, at) - 1
        if found < 0 and self.first_sent is None:
            raise RecordError("something happened on a machine before it had a mark")
        if found < 0:
            return self.first_sent
        return self.lower_base[found] + at * (1 - DRIFT)

    def not_after(self, at):
        return self.upper_base[bisect.bisect_left(self.line_at, at)] + at * (1 - DRIFT)


class Life:
    """The clients of one node from their start to their end."""

    def __init__(self, name):
        self.name, self.finished = name, False
        self.sent, self.lines, self.generations = {}, [], {0}


class Operation:
    def __init__(self, client, number, parts, invoked):
        self.client, self.number, self.parts, self.invoked = client, number, parts, invoked
        self.outcome, self.answer, self.ended = None, {}, None


def read_record(path):
    """(lives by name, faults [(begin, end, nodes whose leases may end of it; None: all)], words of things that went wrong)"""
    lives, faults, wrong = {}, [], []
    for number, text in enumerate(open(path), 1):
        row = json.loads(text)
        if "fault" in row:
            faults.append((row["h"], row["until"], row.get("nodes")))
            continue
        life = lives.setdefault(row["life"], Life(row["life"]))
        if "mark" in row:
            life.sent[row["mark"]] = row["h"]
            life.generations.add(row["generation"])
        else:
            try:
                line = json.loads(row["line"])
            except ValueError:
                wrong.append(f"{path}:{number}: {row['life']} wrote what is no event: {row['line'][:100]!r}")
                continue
            life.lines.append((row["h"], line))
            life.finished |= line.get("t") == "finished"
            if line.get("t") == "wrong":
                wrong.append(f"{row['life']}: {line['words']}")
    return lives, faults, wrong


def clock_of(life):
    marks = [(life.sent[line["m"]], line["at"]) for _, line in life.lines if line["t"] == "mark"]
    lines = [(line["at"], read) for read, line in life.lines if "at" in line]
    return Clock(marks, lines, min(life.sent.values(), default=None))


class History:
    """All operations of all lives in the host's time."""

    def __init__(self, lives, faults):
        self.lives, self.faults = lives, faults
        self.operations, self.watched, self.complaints = {}, {}, []
        self.untold, self.heard_at = 0, {}
        self.last = {}  # client -> (number of its newest operation, not before)
        for life in lives.values():
            self.take(life)

    def complain(self, words):
        self.complaints.append(words)

    def take(self, life):
        clock, elements = clock_of(life), {}
        for _, line in life.lines:
            kind = line["t"]
            if kind == "element":
                elements.setdefault(line["k"], []).append(line["b"])
            if "p" not in line:
                continue
            begins, ends = clock.not_before(line["at"]), clock.not_after(line["at"])
            if begins > ends:
                raise RecordError(f"{life.name}: its clock ran faster than {DRIFT:.0%} beyond the host's")
            self.last[line["p"]] = (line["i"], begins)
            if kind == "event":
                self.watched.setdefault(line["p"], []).append((line, ends))
            elif kind == "invoke":
                self.begin(line, begins)
            else:
                self.end(line, ends, elements)

    def begin(self, line, at):
        name = (line["p"], line["i"])
        if name in self.operations:
            self.complain(f"{name} began twice")
        parts = {key: value for key, value in line.items() if key not in ("p", "i", "t", "at")}
        self.operations[name] = Operation(*name, parts, at)

    def end(self, line, at, elements):
        op = self.operations.get((line["p"], line["i"]))
        if op is None or op.outcome:
            self.complain(f"{line['p']}.{line['i']} ended, but was not under way")
            return
        op.outcome, op.ended = line["t"], at
        op.answer = {key: value for key, value in line.items() if key not in ("p", "i", "t", "at", "err", "done", "rev")}
        op.revision = line.get("rev")
        if line["t"] == "fail" and line.get("done") is False:
            op.outcome = "never"
        if line["t"] == "ok" and op.parts["f"] == "read" and op.parts["k"].startswith("q/") and "h" not in line:
            op.answer = {"b": elements.get(op.parts["k"], [])}
            if len(op.answer["b"]) != line["n"]:
                self.complain(f"{op.parts['k']}: {line['n']} elements, {len(op.answer['b'])} were told")

    # ---- what was not told ----

    def add(self, client, number, parts, invoked):
        op = Operation(client, number, parts, invoked)
        self.operations[client, number] = op
        return op

    def values_seen(self):
        """(object, register of a group or None, value) of whatever was read."""
        for op in list(self.operations.values()):
            key = op.parts["k"]
            if op.outcome != "ok":
                continue
            if op.parts["f"] == "read":
                for value in op.answer.get("b", []) if key.startswith("q/") else [op.answer.get("a")]:
                    yield key, None, value
            for step in op.answer.get("if", []):
                yield key, step["r"], step["v"]
        for events in self.watched.values():
            for line, _ in events:
                if line.get("a"):
                    yield line["key"].replace("g/", "l/"), 0, line["a"]

    def add_untold(self):
        """Beginnings that a power cut has lost, as far as their values were seen."""
        for key, register, value in self.values_seen():
            found = TAG.match(value or "")
            if not found:
                continue
            client, life, number = found[1], found[2], int(found[3])
            known, at = self.last.get(client, (0, None))
            if (client, number) in self.operations or life not in self.lives or self.lives[life].finished or number <= known:
                continue
            if at is None:
                at = min(self.lives[life].sent.values())
            self.add(client, number, self.parts_of(key, register, value), at)
            self.untold += 1

    @staticmethod
    def parts_of(key, register, value):
        if key.startswith("q/"):
            return {"f": "append", "k": key, "b": value}
        if key.startswith("r/"):
            return {"f": "write", "k": key, "b": value}
        if key.startswith("b/"):
            registers = [int(found[0]) for found in ACCOUNT.findall(value)]
        else:
            registers = [register]
        return {"f": "txn", "k": key, "then": [{"r": register, "v": value} for register in registers]}

    def add_lost_takes(self):
        """A task is taken once: if nobody is known to have taken it, one of those may have whose last lines are lost."""
        tasks, taken = set(), set()
        for op in self.operations.values():
            if op.parts["f"] != "txn" or not op.parts["k"].startswith("t/") or op.outcome in ("never", "fail"):
                continue
            for step in op.parts.get("then", []):
                if step["v"] is not None:
                    tasks.add((op.parts["k"], step["r"], step["v"]))
                elif op.outcome == "ok" and op.answer["n"] == 1:
                    taken.add((op.parts["k"], *next((r["r"], r["v"]) for r in op.parts["if"] if r["r"] == step["r"])))
        for number, (key, register, value) in enumerate(sorted(tasks - taken)):
            takers = [taker for taker in map(self.cut_taker, self.lives.values()) if taker and int(key[2:]) in taker[2]]
            if takers:
                client, at, _ = min(takers, key=lambda taker: taker[1])
                self.add(client, 3 * ADDED + number, {"f": "txn", "k": key, "if": [{"c": "is", "r": register, "v": value}],
                                                      "then": [{"r": register, "v": None}]}, at)

    def cut_taker(self, life):
        """(its name, not before, the generations it may have taken of) if operations of it may be lost."""
        if life.finished or not life.sent:
            return None
        client = f"{life.name}.t1"
        number, at = self.last.get(client, (0, min(life.sent.values())))
        last = self.operations.get((client, number))
        first = int(last.parts["k"][2:]) if last else 0
        return client, at, {generation for generation in life.generations if generation >= first}

    def add_lost_acquires(self):
        for life in self.lives.values():
            for client in (f"{life.name}.l1", f"{life.name}.l2"):
                if life.finished or not life.sent:
                    continue
                _, at = self.last.get(client, (0, min(life.sent.values())))
                newest = max(life.generations)
                for number, (generation, lock) in enumerate((g, n) for g in (newest - 1, newest) for n in range(LOCKS)):
                    key = f"l/{generation}/{lock}"
                    if generation > 0:
                        self.add(client, 2 * ADDED + 2 * number, {"f": "acquire", "k": key, "mode": "X"}, at)
                        self.add(client, 2 * ADDED + 2 * number + 1, {"f": "cancel", "k": key, "of": 2 * ADDED + 2 * number},
                                 at)

    def end_grants(self):
        """A grant that was not seen to be let go of may have ended with its node's lease at any time."""
        released, given_up, lost = set(), set(), {}
        for op in self.operations.values():
            if op.parts["f"] == "release" and op.outcome == "ok":
                released.add(op.parts["tok"])
            elif op.parts["f"] == "release" and op.outcome == "fail":
                lost[op.parts["tok"]] = op.ended
            elif op.parts["f"] == "cancel":
                given_up.add((op.client, op.parts["of"]))
        for op in list(self.operations.values()):
            fence = op.answer.get("tok")
            if op.parts["f"] != "acquire" or (op.client, op.number) in given_up or fence in released:
                continue
            if op.outcome in ("fail", "never"):
                continue
            self.add(op.client, ADDED + op.number, {"f": "cancel", "k": op.parts["k"], "of": op.number}, op.invoked)
            if fence in lost and not self.lease_may_end(op.client, op.invoked - LEASE_NS, lost[fence]):
                self.complain(f"{op.parts['k']}: the grant {fence} of {op.client} was lost, although its node was heard all the time")

    def lease_may_end(self, client, begin, end):
        """Not while the leader hears the node, which each operation that is soon acknowledged there shows; unless that was harmed
        on purpose."""
        node = int(client[1:client.index(".")])
        if any(first <= end and last >= begin and (nodes is None or node in nodes) for first, last, nodes in self.faults):
            return True
        heard = self.heard(node)
        inside = heard[bisect.bisect_left(heard, begin):bisect.bisect_right(heard, end)]
        return any(after - before >= SILENCE_NS for before, after in zip([begin, *inside], [*inside, end]))

    def heard(self, node):
        if node not in self.heard_at:
            self.heard_at[node] = sorted(op.invoked for op in self.operations.values() if op.outcome == "ok" and op.ended
                                         - op.invoked < SILENCE_NS and op.client.startswith(f"n{node}."))
        return self.heard_at[node]

    def late_holders(self):
        """How often a holder learned from a fence that it was none any more: so often there were two who believed they were."""
        return sum(1 for op in self.operations.values() if op.parts["f"] == "txn" and op.parts["k"].startswith("l/")
                   and op.outcome == "ok" and op.answer.get("n") == 0)

    def two_holders(self):
        """For how long, each time a lock went on to another while its holder believed in it: from the moment the other knew of
        its grant until the first one was refused, or is last known to have used its fence."""
        grants, believed = {}, {}
        for op in self.operations.values():
            if op.parts["f"] == "acquire" and op.outcome == "ok":
                grants.setdefault(op.parts["k"], []).append(op)
            for fence in self.fences_used(op):
                refused = op.outcome == "fail" or op.outcome == "ok" and op.answer.get("n") == 0
                until = op.ended if refused else op.invoked
                used = (op.client, op.parts["k"], fence)
                believed[used] = max(until, believed.get(used, until))
        for key, listed in grants.items():
            listed.sort(key=lambda op: op.answer["tok"])
            for before, first in enumerate(listed):
                until = believed.get((first.client, key, first.answer["tok"]))
                heir = next((op for op in listed[before + 1:] if "X" in (op.parts["mode"], first.parts["mode"])), None)
                if until is not None and heir is not None and until > heir.ended:
                    yield until - heir.ended

    @staticmethod
    def fences_used(op):
        """Those that its client believed in. One that lets go does so only if it is refused."""
        if op.parts["f"] == "release" and op.outcome == "fail":
            return [op.parts["tok"]]
        if op.parts["f"] == "txn":
            return [step["v"] for step in op.parts.get("if", []) if step["c"] == "fence"]
        return []

    # ---- numbers ----

    def check_numbers(self):
        """Each is given once, and to whoever asks after another had its own, a higher one; they rise as the revisions do."""
        given = [op for op in self.operations.values() if op.parts["f"] == "number" and op.outcome == "ok"]
        holders = {}
        for op in given:
            first = holders.setdefault(op.answer["n"], op)
            if first is not op:
                self.complain(f"the number {op.answer['n']} was given to {first.parts['b']} and to {op.parts['b']}")
        by_revision = sorted(given, key=lambda op: op.revision)
        for before, after in zip(by_revision, by_revision[1:]):
            if before.answer["n"] > after.answer["n"]:
                self.complain(f"{after.parts['b']} had the number {after.answer['n']} at revision {after.revision}, after "
                              f"{before.answer['n']} at {before.revision}")
        ended, highest = sorted(given, key=lambda op: op.ended), None
        at = 0
        for op in sorted(given, key=lambda op: op.invoked):
            while ended[at].ended < op.invoked:
                highest = max(highest or ended[at], ended[at], key=lambda other: other.answer["n"])
                at += 1
            if highest and highest.answer["n"] > op.answer["n"]:
                self.complain(f"{op.parts['b']} had the number {op.answer['n']}, although {highest.parts['b']} had "
                              f"{highest.answer['n']} before it asked")
        return len(given)

    # ---- watches ----

    def check_watches(self):
        """Each in order, without a change twice; all tell the same; none leaves out what another, or a writer, knows of."""
        known = {}  # (revision, key) -> value
        for op in self.operations.values():
            if op.parts["f"] == "txn" and op.outcome == "ok" and op.answer.get("n") == 1 and op.parts.get("then") \
                    and op.parts["k"].startswith("l/"):
                known[op.revision, op.parts["k"].replace("l/", "g/")] = op.parts["then"][0]["v"]
        streams = []
        for client, events in sorted(self.watched.items()):
            for line, _ in events:
                if "from" in line:
                    streams.append((client, line["from"], []))
                    continue
                stream = streams[-1][2]
                place = (line["rev"], line["key"])
                if stream and place[0] < stream[-1][0] or place in stream[-20:]:
                    self.complain(f"{client}: the watch told of {place} after {stream[-1]}")
                if known.setdefault(place, line["a"]) != line["a"]:
                    self.complain(f"{client}: the watch told of {line['a']} at {place}, elsewhere it is {known[place]}")
                stream.append(place)
        for client, begin, stream in streams:
            told, end = set(stream), stream[-1][0] if stream else -1
            for place in sorted(known):
                if begin <= place[0] < end and place not in told:
                    self.complain(f"{client}: the watch from {begin} left out {place}, {known[place]}")
        return sum(len(stream) for _, _, stream in streams)

    # ---- writing ----

    def write(self, path):
        events = []
        for op in self.operations.values():
            if op.outcome == "never" or op.parts["f"] == "number":
                continue
            parts = dict(op.parts)
            if op.parts["f"] == "txn":
                parts.update({key: value for key, value in op.answer.items() if key == "if"})
            name = {"p": op.client, "i": op.number}
            events.append((op.invoked, 0, {**name, "t": "invoke", **parts}))
            if op.outcome in ("ok", "fail"):
                answer = {key: value for key, value in op.answer.items() if key != "if"}
                events.append((op.ended, 1, {**name, "t": op.outcome, "f": parts["f"], "k": parts["k"], **answer}))
        events.sort(key=lambda event: event[:2])
        with open(path, "w") as stream:
            for at, _, event in events:
                stream.write(json.dumps(dict(event, at=int(at))) + "\n")


def judge(record, history):
    """(0 sound, 1 not, 3 not known; words)"""
    lives, faults, wrong = read_record(record)
    try:
        made = History(lives, faults)
    except RecordError as error:
        return 1, f"{error}\n"
    made.complaints += wrong
    made.add_untold()
    made.end_grants()
    made.add_lost_acquires()
    made.add_lost_takes()
    changes, numbers, twice = made.check_watches(), made.check_numbers(), list(made.two_holders())
    made.write(history)
    binary = pathlib.Path(os.environ.get("BUILD", TOP / "build")) / "host" / "linear"
    done = subprocess.run([str(binary), str(history)], capture_output=True, text=True, check=False)
    words = "".join(f"{complaint}\n" for complaint in made.complaints[:50]) + done.stdout + done.stderr
    words += f"{changes} changes watched; {numbers} numbers given; {made.late_holders()} holders were refused by their fence; " \
             f"{len(twice)} times two believed that they held a lock, for {max(twice, default=0) / 1e9:.2f} s at most; " \
             f"{made.untold} beginnings lost by power cuts were seen otherwise\n"
    return (1 if made.complaints else done.returncode), words


def counts(record):
    """{kind of outcome: how many} of a record."""
    lives, _, _ = read_record(record)
    result = {}
    for life in lives.values():
        for _, line in life.lines:
            if "p" in line:
                result[line["t"]] = result.get(line["t"], 0) + 1
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("record", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path, metavar="HISTORY")
    options = parser.parse_args()
    status, words = judge(options.record, options.keep or options.record.with_suffix(".history"))
    print(words, end="")
    return status


if __name__ == "__main__":
    sys.exit(main())
