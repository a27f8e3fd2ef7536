#!/usr/bin/python3
"""Runs programs that were built to count, and tells what of some folders they reached.

Prints branches (each way of one counts) and lines by folder and file. Asserts are left out: the way on which one fails is
one that must never be taken. What nothing reached goes to OUT/uncovered.txt.

Fails when a folder has less than --least per cent of its ways, when a way that nothing takes is not explained in --list, and
when one that is explained there is taken, or gone. The list has paragraphs: ways, one a line and as OUT/uncovered.txt has
them (they are known by their text, so they may move), then, indented, why none of them can be taken.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys


def run(program, arguments, out):
    profile = out / f"{program.name}-%2m.profraw"
    done = subprocess.run([program, *arguments], env={**os.environ, "LLVM_PROFILE_FILE": str(profile)},
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{program} failed with {done.returncode}\n{done.stderr[-2000:]}")


def export(programs, out):
    profiles = sorted(out.glob("*.profraw"))
    listing = out / "profiles"
    listing.write_text("\n".join(map(str, profiles)) + "\n")
    subprocess.run(["llvm-profdata", "merge", "-sparse", f"-input-files={listing}", "-o", out / "all.profdata"], check=True)
    for profile in profiles:
        profile.unlink()
    objects = [argument for program in programs[1:] for argument in ("-object", program)]
    done = subprocess.run(["llvm-cov", "export", programs[0], *objects, f"-instr-profile={out / 'all.profdata'}"],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["data"][0]


def assert_lines(source):
    """The numbers of the lines on which an ASSERT stands, to its last bracket."""
    lines, depth = set(), 0
    for number, line in enumerate(source, 1):
        at = 0 if depth else line.find("ASSERT(")
        if at < 0:
            continue
        lines.add(number)
        depth += line.count("(", at) - line.count(")", at)
    return lines


def functions_of(data, name):
    """[(first line, last line, function, called)] of a file."""
    functions = {}
    for function in data["functions"]:
        if function["filenames"][0] == name:
            first, _, last, *_ = function["regions"][0]
            called = functions.get((first, last), ("", False))[1] or function["count"] > 0
            functions[(first, last)] = (function["name"].split(":")[-1], called)
    return [(*place, *what) for place, what in sorted(functions.items())]


def text_between(source, line, column, line_end, column_end):
    lines = [text.encode() for text in source[line - 1:line_end]]
    lines[-1] = lines[-1][:column_end - 1]
    lines[0] = lines[0][column - 1:]
    return re.sub(r"\s+", " ", b" ".join(lines).decode())


def branches_of(entry, source):
    """(line, text, way, taken) of each way of each branch, instances of one place taken together, asserts left out."""
    sides, asserts = {}, assert_lines(source)
    for line, column, line_end, column_end, true, false, *_ in entry["branches"]:
        if line in asserts:
            continue
        seen = sides.setdefault((line, column, line_end, column_end), [0, 0])
        seen[0] += true
        seen[1] += false
    return [(place[0], text_between(source, *place), way, count > 0) for place, counts in sorted(sides.items())
            for way, count in zip(("true", "false"), counts)]


def lines_of(entry, source):
    """{line: reached} as the regions say: a line is reached when the region that begins last on or before it is."""
    reached, current = {}, None
    segments = entry["segments"]
    for at, (line, _, count, has_count, *_) in enumerate(segments):
        end = segments[at + 1][0] if at + 1 < len(segments) else line
        if not has_count:
            continue
        for number in range(line, end + 1):
            if source[number - 1].strip() not in ("", "}", "{"):
                reached[number] = max(reached.get(number, 0), count)
    return {line: count > 0 for line, count in reached.items()}


def missed(name, functions, branches):
    """What nothing reached of a file, as lines of the list. Of a function that nothing calls, that alone."""
    ways = [f"{name}: {function}: never called" for _, _, function, called in functions if not called]
    for line, text, way, taken in branches:
        function, called = next(((f, c) for first, last, f, c in functions if first <= line <= last), ("?", True))
        if not taken and called:
            ways.append(f"{name}: {function}: never {way}: {text}")
    return list(dict.fromkeys(ways))


def explained(path):
    """The ways of the list, each of which has a reason."""
    ways, bare = [], []
    for number, line in enumerate(path.read_text().splitlines() if path else [], 1):
        if line.startswith("#") or not line.strip():
            if bare:
                sys.exit(f"{path}:{number}: no reason before this line: {bare[-1]}")
        elif line[0].isspace():
            if not ways:
                sys.exit(f"{path}:{number}: a reason of nothing")
            bare = []
        elif line in ways:
            sys.exit(f"{path}:{number}: twice: {line}")
        else:
            ways.append(line)
            bare.append(line)
    if bare:
        sys.exit(f"{path}: no reason: {bare[-1]}")
    return ways


def judge(arguments, sums, ways):
    """What is wrong, in sentences."""
    wrong = [f"{folder}: {100 * taken / every:.1f} % of the ways, at least {arguments.least} % are wanted"
             for folder, (taken, every, *_) in sums.items() if 100 * taken < arguments.least * every]
    wrong += [f"{folder}: nothing of it was built to count" for folder in arguments.folder if folder not in sums]
    if arguments.list:
        listed = explained(arguments.list)
        wrong += [f"not explained in {arguments.list}: {way}" for way in ways if way not in listed]
        wrong += [f"explained in {arguments.list}, but taken or gone: {way}" for way in listed if way not in ways]
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--folder", action="append", required=True, help="what is looked at; more than one may be given")
    parser.add_argument("--least", type=float, default=0, help="per cent of the ways that each folder must have")
    parser.add_argument("--list", type=pathlib.Path, help="the ways that cannot be taken, and why")
    parser.add_argument("--seeds", type=int, default=0, help="of OUT/simulate, which is not run without")
    parser.add_argument("--corpus", type=pathlib.Path, help="folder of inputs, by the names behind fuzz- of programs")
    parser.add_argument("programs", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    programs = list(arguments.programs)
    for program in programs:
        corpus = program.name.removeprefix("fuzz-")
        inputs = sorted((arguments.corpus / corpus).iterdir()) if corpus != program.name else []
        run(program.resolve(), inputs, arguments.out)
    if arguments.seeds:
        programs.append(arguments.out / "simulate")
        run(programs[-1].resolve(), ["--seeds", str(arguments.seeds), "--no-minimum"], arguments.out)
    data = export(programs, arguments.out)
    sums, rows, ways = {}, [], []
    for entry in sorted(data["files"], key=lambda e: e["filename"]):
        name = os.path.relpath(entry["filename"])
        folder = next((f for f in arguments.folder if name.startswith(f + "/")), None)
        if not folder or not name.endswith(".c"):
            continue
        source = pathlib.Path(name).read_text().splitlines()
        branches, lines = branches_of(entry, source), lines_of(entry, source)
        counts = [sum(taken for *_, taken in branches), len(branches), sum(lines.values()), len(lines)]
        rows.append((name, counts))
        sums[folder] = [a + b for a, b in zip(sums.get(folder, [0] * 4), counts)]
        ways += missed(name, functions_of(data, entry["filename"]), branches)
    (arguments.out / "uncovered.txt").write_text("".join(way + "\n" for way in ways))
    print(f"{'':32} {'branches':>18} {'lines':>18}")
    for name, (b, all_b, n, all_n) in rows + sorted(sums.items()):
        print(f"{name:32} {b:5}/{all_b:5} {100 * b / max(1, all_b):5.1f}% {n:5}/{all_n:5} {100 * n / max(1, all_n):5.1f}%")
    wrong = judge(arguments, sums, ways)
    print("\n".join(wrong) if wrong else "coverage: as it should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
