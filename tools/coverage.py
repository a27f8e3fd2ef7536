#!/usr/bin/python3
"""Runs programs that were built to count, and tells what of lib/raft, lib/tables and lib/seal they reached.

Prints branches (each way of one counts) and lines by folder and file. Asserts are left out: the way on which one fails is
one that must never be taken. What nothing reached goes to OUT/uncovered.txt.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

FOLDERS = ("lib/raft", "lib/tables", "lib/seal")


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
    return json.loads(done.stdout)["data"][0]["files"]


def branches_of(entry, source):
    """(line, which way, taken) of each way of each branch, instances of one place taken together, asserts left out."""
    sides = {}
    for line, column, line_end, column_end, true, false, *_ in entry["branches"]:
        if "ASSERT(" in source[line - 1]:
            continue
        seen = sides.setdefault((line, column, line_end, column_end), [0, 0])
        seen[0] += true
        seen[1] += false
    return [(place[0], place[1], way, count > 0) for place, counts in sorted(sides.items())
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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--corpus", type=pathlib.Path, help="folder of inputs, by the names behind fuzz- of programs")
    parser.add_argument("programs", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    simulate = arguments.out / "simulate"
    for program in arguments.programs:
        corpus = program.name.removeprefix("fuzz-")
        inputs = sorted((arguments.corpus / corpus).iterdir()) if corpus != program.name else []
        run(program.resolve(), inputs, arguments.out)
    run(simulate.resolve(), ["--seeds", str(arguments.seeds), "--no-minimum"], arguments.out)
    files = export([*arguments.programs, simulate], arguments.out)
    sums, rows, uncovered = {}, [], []
    for entry in sorted(files, key=lambda e: e["filename"]):
        name = os.path.relpath(entry["filename"])
        folder = "/".join(name.split("/")[:2])
        if folder not in FOLDERS or not name.endswith(".c"):
            continue
        source = pathlib.Path(name).read_text().splitlines()
        branches, lines = branches_of(entry, source), lines_of(entry, source)
        counts = [sum(taken for *_, taken in branches), len(branches), sum(lines.values()), len(lines)]
        rows.append((name, counts))
        sums[folder] = [a + b for a, b in zip(sums.get(folder, [0] * 4), counts)]
        uncovered += [f"{name}:{line}: line: {source[line - 1].strip()}" for line, seen in lines.items() if not seen]
        uncovered += [f"{name}:{line}:{column}: never {way}: {source[line - 1].strip()}"
                      for line, column, way, taken in branches if not taken]
    (arguments.out / "uncovered.txt").write_text("\n".join(uncovered) + "\n")
    print(f"{'':32} {'branches':>18} {'lines':>18}")
    for name, (b, all_b, n, all_n) in rows + sorted(sums.items()):
        print(f"{name:32} {b:5}/{all_b:5} {100 * b / max(1, all_b):5.1f}% {n:5}/{all_n:5} {100 * n / max(1, all_n):5.1f}%")


main()
