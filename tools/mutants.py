#!/usr/bin/python3
"""Plant each bug of tests/sim/mutants into a copy of the sources, and see whether the simulator finds it.

A mutant is a patch; its first line says what is wrong with it. It is found when some seed among the first SEEDS fails.
Prints a table (which seed, what was said) and ends in `N passed, N failed`: passed are the ones found.
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys

COPIED = ["abi", "lib", "tests/sim", "tools/linear", "kernel/cluster", "user/servers/logstore"]


def prepare(top, place, patch):
    """A copy of what the simulator is built from, with the patch in it. False: the patch does not fit any more."""
    shutil.rmtree(place, ignore_errors=True)
    for name in COPIED:
        source, target = top / name, place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    return subprocess.run(["patch", "-s", "-p1", "-i", str(patch)], cwd=place, capture_output=True).returncode == 0


def build(top, place, patch, flags, sources, objects, compiler):
    """Compiles what the patch changes, and takes the rest as the simulator has it (all anew where a header changes)."""
    changed = set(re.findall(r"^\+\+\+ b/(\S+)", patch.read_text(), re.M))
    if not all(name.endswith(".c") for name in changed):
        changed = set(sources)
    parts = [name if name in changed else str(top / objects / name[:-2]) + ".o" for name in sources]
    subprocess.run([compiler, *flags, "-w", *parts, "-o", "simulate"], cwd=place, check=True)


def hunt(place, seeds):
    """-> (first failing seed or None, what was said)"""
    result = subprocess.run(["./simulate", "--seeds", str(seeds), "--stop", "--no-minimum"], cwd=place,
                            capture_output=True, text=True)
    match = re.search(r"^seed (\d+) at [\d.]+ s: (.*)$", result.stderr, re.M)
    if result.returncode == 0:
        return None, "not found"
    if match:
        return int(match[1]), match[2]
    match = re.search(r"^FAILED seed (\d+): (.*?);", result.stdout, re.M)
    return (int(match[1]), match[2]) if match else (0, result.stdout[-200:])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--compiler", default="clang")
    parser.add_argument("--flags", default="", help="of the compiler, in one string")
    parser.add_argument("--sources", required=True, help="files of the simulator, in one string")
    parser.add_argument("--objects", type=pathlib.Path, required=True, help="folder of their object files")
    parser.add_argument("--only", default="", help="part of a mutant's name")
    parser.add_argument("--keep", type=pathlib.Path, help="folder in which the mutants' simulators are kept")
    arguments = parser.parse_args()
    top = pathlib.Path.cwd()
    passed = failed = 0
    for patch in sorted((top / "tests/sim/mutants").glob("*.patch")):
        if arguments.only not in patch.stem:
            continue
        place = top / arguments.out / patch.stem
        seed, said = None, "the patch does not fit the sources"
        if prepare(top, place, patch):
            build(top, place, patch, arguments.flags.split(), arguments.sources.split(), arguments.objects,
                  arguments.compiler)
            seed, said = hunt(place, arguments.seeds)
            if arguments.keep:
                shutil.copy(place / "simulate", arguments.keep / patch.stem)
        found = seed is not None
        passed, failed = passed + found, failed + (not found)
        print(f"{patch.stem:28} {'seed ' + str(seed) if found else 'NOT FOUND':>12}  {said}", flush=True)
        shutil.rmtree(place)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
