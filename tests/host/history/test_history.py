"""Records of live clients: their clocks are mapped soundly, a sound record passes, and each kind of wrong is seen."""
import importlib.util
import json
import pathlib
import random
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
spec = importlib.util.spec_from_file_location("history", ROOT / "tools" / "history.py")
history = importlib.util.module_from_spec(spec)
spec.loader.exec_module(history)

MS = 1_000_000


class Machine:
    """Where a life's clients run: its clock, and what is read of them and when."""

    def __init__(self, world, name, offset_ns, speed):
        self.world, self.name, self.offset_ns, self.speed = world, name, offset_ns, speed
        self.mark = 0
        self.numbers = {}

    def at(self):
        return int(self.offset_ns + self.world.now * self.speed)

    def say(self, line):
        self.world.rows.append({"h": self.world.now + self.world.delay(), "life": self.name, "line": json.dumps(line)})

    def take_mark(self, generation=1):
        self.mark += 1
        self.world.now += 1
        self.world.rows.append({"h": self.world.now, "life": self.name, "mark": self.mark, "generation": generation})
        self.world.now += self.world.delay()
        self.say({"t": "mark", "m": self.mark, "at": self.at()})

    def begin(self, client, **parts):
        name = f"{self.name}.{client}"
        self.numbers[name] = self.numbers.get(name, 0) + 1
        self.say({"p": name, "i": self.numbers[name], "t": "invoke", "at": self.at(), **parts})
        self.world.pass_by()
        return name, self.numbers[name]

    def end(self, begun, kind="ok", **parts):
        self.world.pass_by()
        self.say({"p": begun[0], "i": begun[1], "t": kind, "at": self.at(), **parts})
        self.world.pass_by()

    def do(self, client, answer, kind="ok", **parts):
        self.end(self.begin(client, **parts), kind, **answer)


class World:
    def __init__(self):
        self.random, self.now, self.rows = random.Random(3), 10 ** 12, []
        self.machines = [Machine(self, "n1.1", -10 ** 12, 1.004), Machine(self, "n2.1", 5, 0.997)]
        for machine in self.machines:
            machine.take_mark()
        self.now += MS

    def delay(self):
        return self.random.randrange(3 * MS)

    def pass_by(self):
        """More than the bounds of the clocks are wide."""
        self.now += 40 * MS
        for machine in self.machines:
            machine.take_mark()

    def judge(self, tmp_path):
        for machine in self.machines:
            machine.take_mark()
        path = tmp_path / "record"
        path.write_text("".join(json.dumps(row) + "\n" for row in sorted(self.rows, key=lambda row: row["h"])))
        return history.judge(path, tmp_path / "history")


def is_(register, value):
    return [{"c": "is", "r": register, "v": value}]


def set_(*registers_and_value):
    *registers, value = registers_and_value
    return [{"r": register, "v": value} for register in registers]


def fence(number):
    return [{"c": "fence", "v": number}]


def registers(one, two):
    one.do("r1", {"rev": 5}, f="write", k="r/1/0", b="n1.1.r1.1")
    two.do("r1", {"a": "n1.1.r1.1"}, f="read", k="r/1/0")
    two.do("r1", {"rev": 6}, f="cas", k="r/1/0", a="n1.1.r1.1", b="n2.1.r1.2")
    one.do("r1", {"a": "n2.1.r1.2"}, f="read", k="r/1/0")
    one.do("r1", {"done": False}, "fail", f="cas", k="r/1/0", a="n2.1.r1.2", b="n1.1.r1.3")


def queues(one, two):
    one.do("q1", {}, f="append", k="q/1/0", b="n1.1.q1.1")
    two.do("q1", {}, f="append", k="q/1/0", b="n2.1.q1.1")
    one.say({"t": "element", "k": "q/1/0", "n": 0, "b": "n1.1.q1.1"})
    one.say({"t": "element", "k": "q/1/0", "n": 1, "b": "n2.1.q1.1"})
    one.do("final", {"n": 2}, f="read", k="q/1/0")


def bank(one, two):
    value = "n1.1.b1.1;a0=90;a1=110"
    one.do("b1", {"n": 1, "rev": 7}, f="txn", k="b/1", **{"if": is_(0, None) + is_(1, None), "then": set_(0, 1, value)})
    two.do("b1", {"n": 1, "if": is_(0, value)}, f="txn", k="b/1")
    two.do("b1", {"n": 1, "rev": 8}, f="txn", k="b/1", **{"if": is_(0, value) + is_(1, value)})


def locks(one, two):
    one.do("l1", {"tok": 100}, f="acquire", k="l/1/0", mode="X")
    one.do("l1", {"n": 1, "rev": 101}, f="txn", k="l/1/0", **{"if": fence(100), "then": set_(0, "n1.1.l1.2")})
    two.do("l1", {}, "fail", f="acquire", k="l/1/0", mode="X")
    one.do("l1", {}, f="release", k="l/1/0", tok=100)
    two.do("l1", {"tok": 103}, f="acquire", k="l/1/0", mode="X")
    two.do("l1", {"n": 1, "rev": 104}, f="txn", k="l/1/0", **{"if": fence(103), "then": set_(0, "n2.1.l1.3")})
    two.do("l1", {}, f="release", k="l/1/0", tok=103)


def heard_locks(one, two):
    for _ in range(80):
        one.do("r1", {"a": None}, f="read", k="r/1/0")
    locks(one, two)


def watched(machine, number, **parts):
    machine.say({"p": f"{machine.name}.w", "i": number, "t": "event", "at": machine.at(), "f": "watch", "k": "g/", **parts})


def watches(one, two):
    for machine in (one, two):
        watched(machine, 1, **{"from": 1})
    locks(one, two)
    for machine in (one, two):
        watched(machine, 2, rev=101, key="g/1/0", a="n1.1.l1.2")
        machine.world.pass_by()
        watched(machine, 3, rev=104, key="g/1/0", a="n2.1.l1.3")


def tasks(one, two):
    one.do("t1", {"n": 1, "rev": 5}, f="txn", k="t/1", **{"if": is_(0, None), "then": set_(0, "n1.1.t1.1")})
    two.do("t1", {"n": 1, "rev": 6}, f="txn", k="t/1", **{"if": is_(1, None), "then": set_(1, "n2.1.t1.1")})
    one.do("t1", {"n": 1, "rev": 7}, f="txn", k="t/1", **{"if": is_(0, "n1.1.t1.1"), "then": set_(0, None)})
    two.do("t1", {"n": 0, "rev": 8}, f="txn", k="t/1", **{"if": is_(0, "n1.1.t1.1"), "then": set_(0, None)})
    two.do("t1", {"n": 1, "rev": 9}, f="txn", k="t/1", **{
        "if": is_(0, None) + is_(1, "n2.1.t1.1"), "then": set_(1, None)})
    one.do("final", {"n": 1, "if": is_(1, None)}, f="txn", k="t/1")


def numbers(one, two):
    one.do("s1", {"n": 4, "rev": 5}, f="number", k="s/1/", b="n1.1.s1.1")
    begun = one.begin("s1", f="number", k="s/1/", b="n1.1.s1.2")
    two.do("s1", {"n": 6, "rev": 8}, f="number", k="s/1/", b="n2.1.s1.1")
    one.end(begun, n=5, rev=7)
    two.do("s1", {"n": 9, "rev": 10}, f="number", k="s/1/", b="n2.1.s1.2")


ALL = (registers, queues, bank, locks, tasks, numbers, watches)


def run(work, change, tmp_path):
    world = World()
    work(*world.machines)
    if change:
        lines = [row for row in world.rows if "line" in row]
        change(world, lines)
    return world.judge(tmp_path)


def edit(lines, wanted, **parts):
    """Changes the lines that have all of `wanted`; there are some."""
    found = 0
    for row in lines:
        line = json.loads(row["line"])
        if all(line.get(key) == value for key, value in wanted.items()):
            row["line"] = json.dumps({**line, **parts})
            found += 1
    assert found


def drop(world, **wanted):
    before = len(world.rows)
    world.rows = [row for row in world.rows if "line" not in row or not all(
        json.loads(row["line"]).get(key) == value for key, value in wanted.items())]
    assert len(world.rows) < before


def insert(world, work):
    """Something more, after all the rest."""
    work(*world.machines)


def all_finish(world):
    """No line of theirs is lost."""
    for machine in world.machines:
        machine.say({"t": "finished"})


WRONG = {
    "stale read": (registers, lambda w, rows: edit(rows, {"p": "n1.1.r1", "i": 2, "t": "ok"}, a="n1.1.r1.1")),
    "lost write": (registers, lambda w, rows: edit(rows, {"p": "n1.1.r1", "i": 2, "t": "ok"}, a=None)),
    "write from nowhere": (registers, lambda w, rows: edit(rows, {"p": "n1.1.r1", "i": 2, "t": "ok"}, a="n3.1.r1.9")),
    "lost append": (queues, lambda w, rows: (drop(w, t="element", n=1),
                                             edit(rows, {"p": "n1.1.final", "t": "ok"}, n=1))),
    "append done twice": (queues, lambda w, rows: edit(rows, {"t": "element", "n": 1}, b="n1.1.q1.1")),
    "appends in another order": (queues, lambda w, rows: (edit(rows, {"t": "element", "n": 1}, b="x"), edit(
        rows, {"t": "element", "n": 0}, b="n2.1.q1.1"), edit(rows, {"t": "element", "b": "x"}, b="n1.1.q1.1"))),
    "torn transaction": (bank, lambda w, rows: (edit(rows, {"p": "n2.1.b1", "i": 2, "t": "invoke"}, **{
        "if": is_(0, "n1.1.b1.1;a0=90;a1=110") + is_(1, None)}))),
    "double grant": (locks, lambda w, rows: (edit(rows, {"p": "n2.1.l1", "i": 1, "t": "fail"}, t="ok", tok=102),)),
    "grant with an old fence": (locks, lambda w, rows: edit(rows, {"p": "n2.1.l1", "i": 2, "t": "ok"}, tok=99)),
    "write with an old fence": (locks, lambda w, rows: insert(w, lambda one, two: one.do(
        "l1", {"n": 1, "rev": 110}, f="txn", k="l/1/0", **{"if": fence(100), "then": set_(0, "n1.1.l1.4")}))),
    "lost lock of a node that is heard": (heard_locks, lambda w, rows: edit(rows, {"p": "n1.1.l1", "i": 3, "t": "ok"}, t="fail")),
    "task taken twice": (tasks, lambda w, rows: edit(rows, {"p": "n2.1.t1", "i": 2, "t": "ok"}, n=1)),
    "task refused to its only taker": (tasks, lambda w, rows: (all_finish(w), edit(
        rows, {"p": "n1.1.t1", "i": 2, "t": "ok"}, n=0))),
    "task overtaken": (tasks, lambda w, rows: edit(rows, {"p": "n2.1.t1", "i": 3, "t": "invoke"}, **{
        "if": is_(0, "n1.1.t1.1") + is_(1, "n2.1.t1.1")})),
    "task there again": (tasks, lambda w, rows: edit(rows, {"p": "n1.1.final", "t": "ok"}, **{"if": is_(0, "n1.1.t1.1")})),
    "task gone that nobody took": (tasks, lambda w, rows: (all_finish(w), drop(w, p="n2.1.t1", i=3))),
    "number given twice": (numbers, lambda w, rows: edit(rows, {"p": "n2.1.s1", "i": 1, "t": "ok"}, n=5)),
    "number falls": (numbers, lambda w, rows: edit(rows, {"p": "n2.1.s1", "i": 2, "t": "ok"}, n=3, rev=3)),
    "number against the revisions": (numbers, lambda w, rows: edit(rows, {"p": "n1.1.s1", "i": 2, "t": "ok"}, rev=9)),
    "watch leaves out": (watches, lambda w, rows: drop(w, p="n2.1.w", i=2)),
    "watch tells twice": (watches, lambda w, rows: insert(w, lambda one, two: watched(
        two, 4, rev=104, key="g/1/0", a="n2.1.l1.3"))),
    "watch goes back": (watches, lambda w, rows: insert(w, lambda one, two: watched(
        two, 4, rev=102, key="g/1/0", a=None))),
    "watches differ": (watches, lambda w, rows: edit(rows, {"p": "n2.1.w", "i": 3}, a="n2.1.l1.9")),
    "what the program itself sees": (bank, lambda w, rows: insert(w, lambda one, two: one.say(
        {"t": "wrong", "words": "the accounts held 410 together"}))),
    "damaged line": (bank, lambda w, rows: rows[-1].update(line='{"p":"n1')),
}


@pytest.mark.parametrize("work", ALL, ids=lambda work: work.__name__)
def test_sound(work, tmp_path):
    status, words = run(work, None, tmp_path)
    assert status == 0, words


@pytest.mark.parametrize("name", WRONG)
def test_wrong(name, tmp_path):
    work, change = WRONG[name]
    status, words = run(work, change, tmp_path)
    assert status == 1, words


def test_what_a_power_cut_lost_may_be_seen(tmp_path):
    """The beginning of a write was not read before its machine's power was cut; that of one that goes on must have been."""
    def cut(world, _):
        insert(world, lambda one, two: two.do("r1", {"a": "n1.1.r1.4"}, f="read", k="r/1/0"))
    assert run(registers, cut, tmp_path)[0] == 0

    def goes_on(world, _):
        cut(world, _)
        world.machines[0].say({"t": "finished"})
    assert run(registers, goes_on, tmp_path)[0] == 1


def test_a_task_may_have_been_taken_by_who_was_cut(tmp_path):
    """Its last lines are lost with its power; what it took before them was told."""
    def cut(world, _):
        drop(world, p="n2.1.t1", i=3)
    assert run(tasks, cut, tmp_path)[0] == 0

    def of_another_generation(world, rows):
        cut(world, rows)
        for machine in world.machines:
            machine.do("t1", {"n": 1, "if": is_(0, None)}, f="txn", k="t/2")
    assert run(tasks, of_another_generation, tmp_path)[0] == 1


@pytest.mark.parametrize("refused_at, most", [("fence", 3.0), ("release", 3.0), (None, 0.0)])
def test_the_time_with_two_holders_is_measured(refused_at, most, tmp_path):
    """From the second one's grant until the first one is refused; one that let go in time is none."""
    world = World()
    one, two = world.machines
    one.do("l1", {"tok": 100}, f="acquire", k="l/1/0", mode="X")
    if refused_at is None:
        one.do("l1", {}, f="release", k="l/1/0", tok=100)
    two.do("l1", {"tok": 103}, f="acquire", k="l/1/0", mode="X")
    world.now += int(most * 1000) * MS
    if refused_at == "fence":
        one.do("l1", {"n": 0, "rev": 104}, f="txn", k="l/1/0", **{"if": fence(100)})
    elif refused_at == "release":
        one.do("l1", {}, "fail", f="release", k="l/1/0", tok=100)
    status, words = world.judge(tmp_path)
    found = re.search(r"(\d+) times two believed .* for ([\d.]+) s at most", words)
    assert status == 0 and int(found[1]) == (refused_at is not None) and most <= float(found[2]) <= most * 1.1, words


@pytest.mark.parametrize("heard_every_ms, nodes, sound", [(400, [], False), (400, [2], False), (400, [1], True), (400, None, True),
                                                          (3000, [], True)])
def test_a_lock_is_lost_only_with_its_nodes_lease(heard_every_ms, nodes, sound, tmp_path):
    world = World()
    one, two = world.machines

    def work(count):
        for i in range(count):
            one.do("r1", {"rev": i}, f="write", k="r/1/0", b=f"n1.1.r1.{one.numbers.get('n1.1.r1', 0) + 1}")
            world.now += heard_every_ms * MS
    work(20)
    one.do("l1", {"tok": 100}, f="acquire", k="l/1/0", mode="X")
    work(10)
    one.do("l1", {}, "fail", f="release", k="l/1/0", tok=100)
    world.rows.append({"h": world.rows[0]["h"], "until": world.now, "fault": "some", "nodes": nodes})
    status, words = world.judge(tmp_path)
    assert (status == 0) == sound, words


def test_bounds_hold_whatever_the_clock_does():
    """A clock that runs at any speed up to the limit, and stands still at times: the true moment is within the bounds."""
    draw = random.Random(7)
    for speed in (1.0 + history.DRIFT * 0.99, 0.5, 1.0):
        host, guest, truth, marks, lines = 0.0, 500.0, [], [], []
        for _ in range(2000):
            step = draw.uniform(0, 5 * MS)
            host += step
            if draw.random() < 0.1:
                continue  # it is stopped, and does nothing
            guest += step * speed
            if draw.random() < 0.1:
                marks.append((host - draw.uniform(0, 20 * MS), guest))
            elif marks:
                truth.append((guest, host))
            lines.append((guest, host + draw.uniform(0, 20 * MS)))
        clock = history.Clock(marks, lines)
        assert all(clock.not_before(at) <= host_at <= clock.not_after(at) for at, host_at in truth)


def test_the_first_answers_to_marks_are_lost():
    """What was done before the first answer that came was not done before the first mark was sent."""
    clock = history.Clock([(9000, 70)], [(60, 8500), (80, 9500)], first_sent=8000)
    assert clock.not_before(60) == 8000 and clock.not_before(80) > 8000
    with pytest.raises(history.RecordError):
        history.Clock([(9000, 70)], [(60, 8500)]).not_before(60)
