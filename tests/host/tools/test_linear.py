"""The checker of histories: sound ones pass, and each kind of wrong is seen."""
import json
import os
import pathlib
import random
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[3]
BINARY = TOP / os.environ.get("BUILD", "build") / "host" / "linear"
SOUND, BROKEN, MALFORMED = 0, 1, 2


def event(client, number, kind, call, key="k", **more):
    return {"p": client, "i": number, "t": kind, "f": call, "k": key, **more}


def done(client, number, call, kind="ok", key="k", answer=None, **more):
    """An operation by itself: nothing happens between its beginning and its end."""
    return [event(client, number, "invoke", call, key, **more), event(client, number, kind, call, key, **(answer or more))]


def judge(events, tmp_path):
    path = tmp_path / "history"
    path.write_text("".join(json.dumps(e) + "\n" for e in events))
    return subprocess.run([BINARY, path], capture_output=True, text=True, check=False)


def read(client, number, value, key="k"):
    return done(client, number, "read", key=key, answer={"a": value})


def grant(client, number, fence, mode="X"):
    return done(client, number, "acquire", mode=mode, answer={"tok": fence})


def txn(client, number, held, **steps):
    """steps: if_=[...], then=[...], other=[...], each (register, value) or a fence."""
    names = {"if_": "if", "then": "then", "other": "else"}
    parts = {names[name]: [step if isinstance(step, dict) else {"r": step[0], "v": step[1]} for step in listed]
             for name, listed in steps.items()}
    for step in parts.get("if", []):
        step.setdefault("c", "is")
    return done(client, number, "txn", answer={"n": held}, **parts)


def held(fence):
    return {"c": "fence", "v": fence}


def permit(client, number, fence):
    return done(client, number, "acquire", permits=2, answer={"tok": fence})


def put(client, number, place, item):
    return txn(client, number, 1, if_=[(place, None)], then=[(place, item)])


def take(client, number, place, item, taken=1):
    """The queue's first item, if it still is the first: what is before it is gone, and it is taken away in the same step."""
    before = [(earlier, None) for earlier in range(place)]
    return txn(client, number, taken, if_=[*before, (place, item)], then=[(place, None)])


OVERLAPPING_WRITES = [event("a", 1, "invoke", "write", b=1), event("b", 1, "invoke", "write", b=2),
                      event("a", 1, "ok", "write"), event("b", 1, "ok", "write")]

GOOD = {
    "nothing": [],
    "register": done("a", 1, "write", b=5) + read("b", 1, 5) + done("a", 2, "cas", a=5, b=6) + read("b", 2, 6),
    "nothing there": read("a", 1, None) + done("a", 2, "delete", "fail") + done("a", 3, "cas", a=None, b=4) + read("b", 1, 4),
    "refused cas": done("a", 1, "write", b=5) + done("a", 2, "cas", "fail", a=4, b=6) + read("b", 1, 5),
    "either order, 1 last": OVERLAPPING_WRITES + read("c", 1, 1),
    "either order, 2 last": OVERLAPPING_WRITES + read("c", 1, 2),
    "lost reply, seen late": [event("a", 1, "invoke", "write", b=1), event("a", 1, "info", "write")] + read("b", 1, None)
                             + read("b", 2, 1),
    "lost reply, never seen": [event("a", 1, "invoke", "write", b=1)] + read("b", 1, None) + read("b", 2, None),
    "queue": done("a", 1, "append", b=7) + done("b", 1, "read", answer={"b": [7]}) + done("b", 2, "append", b=8)
             + done("a", 2, "read", answer={"b": [7, 8]}),
    "lock by turns": grant("a", 1, 10) + done("b", 1, "acquire", "fail", mode="X") + done("a", 2, "release", tok=10)
                     + grant("b", 2, 11) + done("b", 3, "renew", tok=11) + done("b", 4, "release", tok=11),
    "shared": grant("a", 1, 10, "S") + grant("b", 1, 11, "S") + done("c", 1, "acquire", "fail", mode="X"),
    "in line": grant("a", 1, 10) + [event("b", 1, "invoke", "acquire", mode="X")] + done("a", 2, "release", tok=10)
               + [event("b", 1, "ok", "acquire", tok=12)],
    "stale release": grant("a", 1, 10) + done("b", 1, "release", "fail", tok=9),
    "given up": grant("a", 1, 10) + [event("b", 1, "invoke", "acquire", mode="X")] + done("a", 2, "release", tok=10)
                + [event("b", 2, "invoke", "cancel", of=1)] + done("c", 1, "acquire", "fail", mode="X")
                + [event("b", 2, "ok", "cancel"), event("b", 1, "info", "acquire", done=True)] + grant("c", 2, 20),
    "given up long before its machine's end": [event("b", 1, "invoke", "acquire", mode="X")]
                + done("c", 1, "acquire", "fail", mode="X") + [event("b", 2, "invoke", "cancel", of=1)] + grant("c", 2, 20)
                + done("b", 3, "end", of=1) + [event("b", 2, "ok", "cancel"), event("b", 1, "info", "acquire", done=True)]
                + done("c", 3, "renew", tok=20),
    "holder's end": grant("a", 1, 10) + done("a", 2, "end") + grant("b", 1, 11),
    "transfer": txn("a", 1, 1, if_=[(0, None), (1, None)], then=[(0, 7), (1, 8)]) + txn("b", 1, 1, if_=[(0, 7), (1, 8)]),
    "refused transfer": txn("a", 1, 1, then=[(0, 7)]) + txn("b", 1, 0, if_=[(0, 6)], then=[(0, 9)], other=[(1, 5)])
                        + txn("a", 2, 1, if_=[(0, 7), (1, 5)]),
    "lost reply of a transfer": [event("a", 1, "invoke", "txn", then=[{"r": 0, "v": 7}, {"r": 1, "v": 7}])]
                                + txn("b", 1, 1, if_=[(0, None), (1, None)]) + txn("b", 2, 1, if_=[(0, 7), (1, 7)]),
    "guarded": grant("a", 1, 10) + txn("a", 2, 1, if_=[held(10)], then=[(0, 5)]) + done("a", 3, "release", tok=10)
               + txn("a", 4, 0, if_=[held(10)], then=[(0, 6)]) + txn("b", 1, 1, if_=[(0, 5)]),
    "items taken in turn": put("a", 1, 0, 7) + put("b", 1, 1, 8) + take("c", 1, 0, 7) + take("d", 1, 0, 7, taken=0)
                           + take("d", 2, 1, 8) + txn("c", 2, 1, if_=[(0, None), (1, None)]),
    "item taken, answer lost": put("a", 1, 0, 7) + take("c", 1, 0, 7)[:1] + take("d", 1, 0, 7, taken=0),
    "semaphore": permit("a", 1, 10) + permit("b", 1, 11) + done("c", 1, "acquire", "fail", permits=2)
                 + done("a", 2, "release", tok=10) + permit("c", 2, 12),
}

BAD = {
    "stale read": done("a", 1, "write", b=1) + done("a", 2, "write", b=2) + read("b", 1, 1),
    "read goes back": [event("a", 1, "invoke", "write", b=1)] + read("b", 1, 1) + read("c", 1, None),
    "lost write": done("a", 1, "write", b=1) + read("b", 1, None),
    "from nowhere": read("b", 1, 9),
    "two cas": done("a", 1, "write", b=1) + [event("a", 2, "invoke", "cas", a=1, b=2), event("b", 1, "invoke", "cas", a=1, b=3),
                                           event("a", 2, "ok", "cas"), event("b", 1, "ok", "cas")],
    "cas wrongly refused": done("a", 1, "write", b=1) + done("a", 2, "cas", "fail", a=1, b=2),
    "lost append": done("a", 1, "append", b=7) + done("b", 1, "read", answer={"b": []}),
    "twice": done("a", 1, "append", b=7) + done("b", 1, "read", answer={"b": [7, 7]}),
    "order of appends": done("a", 1, "append", b=7) + done("a", 2, "append", b=8) + done("b", 1, "read", answer={"b": [8, 7]}),
    "two holders": grant("a", 1, 10) + grant("b", 1, 11),
    "writer beside reader": grant("a", 1, 10, "S") + grant("b", 1, 11, "X"),
    "fence goes back": grant("a", 1, 10) + done("a", 2, "release", tok=10) + grant("b", 1, 9),
    "fence again": grant("a", 1, 10) + done("a", 2, "release", tok=10) + grant("b", 1, 10),
    "free, yet refused": done("a", 1, "acquire", "fail", mode="X"),
    "released by nobody": done("a", 1, "release", tok=5),
    "holder not known": grant("a", 1, 10) + done("a", 2, "release", "fail", tok=10),
    "renewed after release": grant("a", 1, 10) + done("a", 2, "release", tok=10) + done("a", 3, "renew", tok=10),
    "torn transfer": txn("a", 1, 1, then=[(0, 7), (1, 7)]) + txn("b", 1, 1, if_=[(0, 7), (1, None)]),
    "transfer from what is no longer": txn("a", 1, 1, then=[(0, 7)]) + txn("a", 2, 1, then=[(0, 8)])
                                       + txn("b", 1, 1, if_=[(0, 7)], then=[(0, 9)]),
    "wrongly refused transfer": txn("a", 1, 1, then=[(0, 7)]) + txn("b", 1, 0, if_=[(0, 7)], then=[(0, 9)]),
    "guarded by an old fence": grant("a", 1, 10) + done("a", 2, "release", tok=10) + grant("b", 1, 11)
                               + txn("a", 3, 1, if_=[held(10)], then=[(0, 5)]),
    "item taken twice": put("a", 1, 0, 7) + take("c", 1, 0, 7) + take("d", 1, 0, 7),
    "item taken by two at once": put("a", 1, 0, 7) + [e for pair in zip(take("c", 1, 0, 7), take("d", 1, 0, 7)) for e in pair],
    "item lost": put("a", 1, 0, 7) + txn("c", 1, 1, if_=[(0, None)]),
    "item lost to a refused taker": put("a", 1, 0, 7) + take("c", 1, 0, 7, taken=0),
    "item there again": put("a", 1, 0, 7) + take("c", 1, 0, 7) + txn("d", 1, 1, if_=[(0, 7)]),
    "item overtaken": put("a", 1, 0, 7) + put("a", 2, 1, 8) + take("c", 1, 1, 8),
    "too many permits": permit("a", 1, 10) + permit("b", 1, 11) + permit("c", 1, 12),
    "given up, yet held": grant("a", 1, 10) + [event("b", 1, "invoke", "acquire", mode="X")] + done("b", 2, "cancel", of=1)
                          + [event("b", 1, "info", "acquire", done=True)] + done("a", 2, "release", tok=10)
                          + done("c", 1, "acquire", "fail", mode="X"),
    "ended after all, yet held": [event("b", 1, "invoke", "acquire", mode="X")] + done("c", 1, "acquire", "fail", mode="X")
                          + [event("b", 2, "invoke", "cancel", of=1)] + done("b", 3, "end", of=1)
                          + done("c", 2, "acquire", "fail", mode="X"),
}


@pytest.mark.parametrize("name", GOOD)
def test_sound(name, tmp_path):
    result = judge(GOOD[name], tmp_path)
    assert result.returncode == SOUND, result


@pytest.mark.parametrize("name", BAD)
def test_broken(name, tmp_path):
    result = judge(BAD[name], tmp_path)
    assert result.returncode == BROKEN and "not linearizable" in result.stdout, result


def test_objects_are_judged_apart(tmp_path):
    events = done("a", 1, "write", key="x", b=1) + read("b", 1, None, key="y") + grant("a", 2, 3)
    assert judge(events, tmp_path).returncode == SOUND
    result = judge(events + read("b", 2, 7, key="y"), tmp_path)
    assert result.returncode == BROKEN and result.stdout.startswith("y: ")


@pytest.mark.parametrize("line", ["{", "[]", '{"p":"a"}', '{"p":"a","i":1,"t":"ok","f":"read","k":"x"}',
                                  '{"p":"a","i":1,"t":"invoke","f":"dance","k":"x"}'])
def test_malformed(line, tmp_path):
    path = tmp_path / "history"
    path.write_text(line + "\n")
    result = subprocess.run([BINARY, path], capture_output=True, text=True, check=False)
    assert result.returncode == MALFORMED and "line 1" in result.stderr


def simulated(rng, count):
    """A register that is linearizable: each operation takes effect somewhere between its beginning and its end."""
    value, events, running, number = None, [], {}, 0
    while number < count or running:
        client = f"c{rng.randint(1, 8)}"
        if client in running:
            call, arguments, answer = running[client]
            if answer is None and rng.random() < 0.6:
                ok, result = "ok", {}
                if call == "read":
                    result = {"a": value}
                elif call == "write":
                    value = arguments["b"]
                elif value == arguments["a"]:
                    value = arguments["b"]
                else:
                    ok = "fail"
                running[client] = (call, arguments, (ok, result))
            elif answer is not None:
                events.append(event(client, arguments["n"], answer[0], call, **answer[1]))
                del running[client]
        elif number < count:
            number += 1
            call = rng.choice(["read", "write", "cas"])
            arguments = {"n": number, "b": number, "a": value if rng.random() < 0.7 else 10 ** 9}
            shown = {"read": {}, "write": {"b": number}, "cas": {"a": arguments["a"], "b": number}}[call]
            events.append(event(client, number, "invoke", call, **shown))
            running[client] = (call, arguments, None)
    return events


def test_long_history_and_one_stale_read_in_it(tmp_path):
    rng = random.Random(5)
    events = simulated(rng, 20000)
    assert judge(events, tmp_path).returncode == SOUND
    reads = [i for i, e in enumerate(events) if e["f"] == "read" and e["t"] == "ok" and e["a"] is not None and i > 30000]
    events[reads[0]] = {**events[reads[0]], "a": 17}
    assert judge(events, tmp_path).returncode == BROKEN


def brute_force(events):
    """Any order of all operations that fits? For a few only."""
    ops = {}
    for at, e in enumerate(events):
        if e["t"] == "invoke":
            ops[e["p"], e["i"]] = {"from": at, "to": None, **e}
        else:
            ops[e["p"], e["i"]].update({"to": at, "kind": e["t"], **{n: e[n] for n in ("a", "b") if n in e}})

    def fits(left, value):
        if not left:
            return True
        for name in left:
            op = ops[name]
            if any(ops[other]["to"] < op["from"] for other in left):
                continue
            rest = left - {name}
            if op["f"] == "read" and op["a"] == value and fits(rest, value):
                return True
            if op["f"] == "write" and fits(rest, op["b"]):
                return True
            if op["f"] == "cas" and (op["kind"] == "ok") == (value == op["a"]):
                if fits(rest, op["b"] if op["kind"] == "ok" else value):
                    return True
        return False
    return fits(frozenset(ops), None)


def test_agrees_with_trying_all_orders(tmp_path):
    rng = random.Random(11)
    seen = set()
    for _ in range(150):
        events = simulated(rng, 6)
        if rng.random() < 0.7:
            reads = [i for i, e in enumerate(events) if e["t"] == "ok" and e["f"] == "read"]
            if reads:
                at = rng.choice(reads)
                events[at] = {**events[at], "a": rng.choice([None, 1, 2, 3, 4, 5, 6])}
        expected = brute_force(events)
        seen.add(expected)
        assert judge(events, tmp_path).returncode == (SOUND if expected else BROKEN), events
    assert seen == {True, False}
