#!/usr/bin/python3
"""Checks what clients saw against what the cluster kept.

    history.py FINAL.json HISTORY.ndjson...

Each history holds events of one or more clients, as user/bin/history.c prints them; a last line cut short by a power
cut is passed over. FINAL.json is {"key": "value", ...}, the values read after all faults were healed. A value is the
concatenation of items "CLIENT.N,".

Nothing acknowledged may be lost, nothing applied twice, nothing refused may show, nothing may come from nowhere, and
operations of one client, which never overlap, stand in their order within a key.
"""
import json
import sys


def read_events(path):
    """Events of one history file, in order. Raises ValueError on a malformed line that is not the last."""
    lines = open(path, errors="replace").read().split("\n")
    events = []
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
            events.append((str(event["p"]), int(event["i"]), event["t"], event["k"]))
        except (ValueError, KeyError, TypeError):
            if any(rest.strip() for rest in lines[number + 1:]):
                raise ValueError(f"{path}:{number + 1}: not an event: {line[:80]}")
    return events


def outcomes(events):
    """{(client, n): (key, 'ok' | 'fail' | 'open')} and complaints."""
    result, complaints = {}, []
    for client, n, kind, key in events:
        name = f"{client}.{n}"
        if kind == "invoke":
            if (client, n) in result:
                complaints.append(f"{name} was invoked twice")
            result[client, n] = (key, "open")
        elif (client, n) not in result:
            complaints.append(f"{name} ended but never began")
        elif result[client, n][1] != "open":
            complaints.append(f"{name} ended twice")
        elif kind in ("ok", "fail"):
            result[client, n] = (key, kind)
        elif kind != "info":
            complaints.append(f"{name}: unknown event {kind}")
    return result, complaints


def items_of(key, value):
    """[(client, n)] of a value, and complaints."""
    items, complaints = [], []
    for item in value.split(",")[:-1] if value.endswith(",") else value.split(","):
        client, dot, n = item.rpartition(".")
        if dot and n.isdigit() and client:
            items.append((client, int(n)))
        elif item or value:
            complaints.append(f"{key}: damaged item {item!r}")
    return items, complaints


def check_key(key, items, result):
    complaints, seen, last = [], set(), {}
    for client, n in items:
        name = f"{client}.{n}"
        known_key, kind = result.get((client, n), (None, None))
        if (client, n) in seen:
            complaints.append(f"{key}: {name} was applied twice")
        seen.add((client, n))
        if kind is None:
            complaints.append(f"{key}: {name} comes from nowhere")
        elif known_key != key:
            complaints.append(f"{key}: {name} was sent to {known_key}")
        elif kind == "fail":
            complaints.append(f"{key}: {name} was refused, yet applied")
        if n <= last.get(client, -1):
            complaints.append(f"{key}: {name} stands after {client}.{last[client]}")
        last[client] = max(n, last.get(client, -1))
    return complaints


def check(final, events):
    """Complaints (none: the history is sound) and counts of what was seen."""
    result, complaints = outcomes(events)
    present = set()
    for key, value in sorted(final.items()):
        items, damaged = items_of(key, value)
        complaints += damaged + check_key(key, items, result)
        present.update(items)
    for (client, n), (key, kind) in sorted(result.items()):
        if kind == "ok" and (client, n) not in present:
            complaints.append(f"{key}: {client}.{n} was acknowledged and is lost")
    counts = {kind: sum(1 for _, k in result.values() if k == kind) for kind in ("ok", "fail", "open")}
    return complaints, counts


def main(arguments):
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    events = [event for path in arguments[1:] for event in read_events(path)]
    complaints, counts = check(json.load(open(arguments[0])), events)
    for complaint in complaints[:50]:
        print(complaint)
    print(f"{counts['ok']} acknowledged, {counts['fail']} refused, {counts['open']} open: "
          + (f"{len(complaints)} complaints" if complaints else "sound"))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
