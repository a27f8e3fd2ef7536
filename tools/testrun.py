#!/usr/bin/python3
"""Runs one kind of tests, or sums up what the kinds left behind.

    testrun.py run KIND [--jobs N] [--limit SECONDS] ENTRY...
    testrun.py summary KIND...

An entry is one of
    PROGRAM[,ARGUMENT]...   a host program; status 0 is success
    pytest:FOLDER[,ARGUMENT]...
    init:PATH[,KEY=VALUE]...   boots Shoal with that program of the bundle as its first process
    run:COMMAND[,KEY=VALUE]... boots Shoal and lets the shell run that command
A KEY=VALUE of a booted entry is a line of shoal.conf, or smp=N, or mem=M, or
threads=single (the emulator runs the CPUs by turns: much faster where they fight for locks), or clock=instructions (its
time is how many instructions it ran, so that a busy host changes nothing; one CPU only). A program tells how many checks it made by
a line "N passed, N failed" (cmocka's and test/check.h's own lines are understood too); without one it counts as one test. Output goes to
build/test/KIND/NAME.log. Limits only detect hangs.
"""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RESULTS = os.path.join(os.environ.get("BUILD", "build"), "test")
SUM_LINE = re.compile(r"\b(\d+) passed, (\d+) failed\b")
TAIL_LINES = 30
CMOCKA_LINE = re.compile(r"^\[  (PASSED|FAILED)  \] (\d+) test\(s\)", re.M)
RUN_LINE = re.compile(r"^run \w+$", re.M)
SEED_LINE = re.compile(r"\bseed[ =:]+((?:0x)?[0-9a-fA-F]+)\b")


class Outcome:
    def __init__(self, name, log, passed, failed, why="", seed=""):
        self.name, self.log, self.passed, self.failed, self.why, self.seed = name, log, passed, failed, why, seed


def count_checks(text):
    """(passed, failed) as the test's own output tells it, or None."""
    sums = SUM_LINE.findall(text)
    if sums:
        return sum(int(p) for p, _ in sums), sum(int(f) for _, f in sums)
    groups = CMOCKA_LINE.findall(text)
    if groups:
        return (sum(int(n) for kind, n in groups if kind == "PASSED"),
                sum(int(n) for kind, n in groups if kind == "FAILED"))
    return None


def judge(name, log, status, why):
    """Turns exit status and output into an outcome: neither alone is believed when it tells of a failure."""
    with open(log, errors="replace") as stream:
        text = stream.read()
    passed, failed = count_checks(text) or (max(1, len(RUN_LINE.findall(text))) if status == 0 else 0, 0)
    if status != 0 and failed == 0:
        failed = 1
        why = why or f"exit status {status}"
    seeds = SEED_LINE.findall(text)
    return Outcome(name, log, passed, failed, why, seeds[-1] if seeds else "")


def run_logged(command, log, limit):
    """Exit status of a command whose whole output goes to the log; None when it hung."""
    environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:abort_on_error=0", UBSAN_OPTIONS="print_stacktrace=1")
    with open(log, "wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   env=environment, start_new_session=True)
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            return None
        except BaseException:
            os.killpg(process.pid, 15)
            raise


def run_program(words, name, log, limit):
    status = run_logged(words, log, limit)
    if status is None:
        return judge(name, log, 1, f"still running after {limit} s: taken for hung and killed")
    return judge(name, log, status, f"killed by signal {-status}" if status < 0 else "")


def run_pytest(words, name, log, limit):
    report = log + ".xml"
    status = run_logged(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib",
                         f"--junit-xml={report}", *words], log, limit)
    if status is None or not os.path.exists(report):
        return [judge(name, log, 1, "hung and killed" if status is None else "pytest left no report")]
    outcomes = []
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        if case.find("skipped") is not None:
            continue
        label = f"{case.get('classname')}::{case.get('name')}"
        why = "" if bad is None else (bad.get("message") or "").strip().split("\n")[0][:200]
        seeds = SEED_LINE.findall("" if bad is None else (bad.text or ""))
        outcomes.append(Outcome(label, log, int(bad is None), int(bad is not None), why, seeds[-1] if seeds else ""))
    if status not in (0, 1, 5) or not outcomes and status != 5:
        outcomes.append(judge(name, log, status or 1, f"pytest ended with status {status}"))
    return outcomes


def boot_command(kind, words):
    """The QEMU command of a booted entry, and the lines of its shoal.conf."""
    machine = {"smp": "1", "mem": "256", "cpu": "max", "threads": "multi", "clock": "host"}
    lines = [f"{'init' if kind == 'init' else 'run'} = {words[0]}", "panic = exit", "disk = none"]
    for word in words[1:]:
        key, _, value = word.partition("=")
        if key in machine:
            machine[key] = value
        else:
            lines.append(f"{key} = {value}")
    build = os.environ.get("BUILD", "build")
    command = ["qemu-system-x86_64", "-machine", "q35", "-cpu", machine["cpu"], "-accel",
               f"tcg,thread={machine['threads']}", "-m", machine["mem"],
               "-smp", machine["smp"], "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
               "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", f"{build}/kernel.elf",
               "-initrd", f"{build}/shoal.img"]
    if machine["clock"] == "instructions":
        command[command.index("-accel") + 1] = "tcg"
        command += ["-icount", "shift=0,sleep=off"]
    return command, lines


def run_booted(kind, words, name, log, limit):
    command, lines = boot_command(kind, words)
    config, seed = log + ".conf", log + ".seed"
    with open(config, "w") as stream:
        stream.write("\n".join(lines) + "\n")
    with open(seed, "wb") as stream:
        stream.write(os.urandom(64))
    command += ["-fw_cfg", f"name=opt/shoal/conf,file={config}", "-fw_cfg", f"name=opt/shoal/seed,file={seed}"]
    status = run_logged(command, log, limit)
    if status is None:
        return judge(name, log, 1, f"still running after {limit} s: taken for hung and killed")
    with open(log, errors="replace") as stream:
        told = count_checks(stream.read())
    # A machine that resets or panics quietly must not pass: only a sum from inside counts.
    if told is None:
        return judge(name, log, 1, f"the guest ended (QEMU status {status}) without telling a sum")
    return judge(name, log, 0 if status in (0, 1) else status, "")


def run_entry(entry, folder, limit):
    kind, colon, rest = entry.partition(":")
    if not colon or kind not in ("pytest", "init", "run"):
        kind, rest = "program", entry
    words = rest.split(",")
    program = words[1] if words[0].endswith(".sh") and len(words) > 1 else words[0]  # a script is about what it runs
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", os.path.relpath(program, TOP) if kind == "program" else entry)
    log = os.path.join(folder, name + ".log")
    started = time.monotonic()
    if kind == "pytest":
        outcomes = run_pytest(words, name, log, limit)
    elif kind == "program":
        outcomes = [run_program(words, name, log, limit)]
    else:
        outcomes = [run_booted(kind, words, name, log, limit)]
    seconds = time.monotonic() - started
    passed, failed = sum(o.passed for o in outcomes), sum(o.failed for o in outcomes)
    print(f"  {'FAIL' if failed else 'ok  '} {name}: {passed} passed, {failed} failed ({seconds:.1f} s)", flush=True)
    return outcomes


def log_tail(path):
    with open(path, errors="replace") as stream:
        return "".join("    " + line.rstrip() + "\n" for line in stream.readlines()[-TAIL_LINES:])


def print_failures(outcomes, tails):
    for outcome in outcomes:
        if outcome["failed"]:
            seed = f"  seed {outcome['seed']}" if outcome["seed"] else ""
            print(f"FAILED {outcome['name']}: {outcome['why'] or 'see the log'}\n       log {outcome['log']}{seed}")
            if tails:
                print(log_tail(outcome["log"]))


def run_kind(options):
    folder = os.path.join(RESULTS, options.kind)
    os.makedirs(folder, exist_ok=True)
    result = os.path.join(RESULTS, options.kind + ".json")
    if os.path.exists(result):
        os.unlink(result)
    print(f"{options.kind} tests", flush=True)
    outcomes = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for part in pool.map(lambda entry: run_entry(entry, folder, options.limit), options.entries):
            outcomes += part
    rows = [vars(outcome) for outcome in outcomes]
    with open(result, "w") as stream:
        json.dump(rows, stream, indent=1)
    print_failures(rows, tails=True)
    failed = sum(row["failed"] for row in rows)
    print(f"{options.kind}: {sum(row['passed'] for row in rows)} passed, {failed} failed")
    return 1 if failed else 0


def summary(options):
    rows = []
    for kind in options.kinds:
        path = os.path.join(RESULTS, kind + ".json")
        if os.path.exists(path):
            with open(path) as stream:
                rows += json.load(stream)
        else:
            rows.append({"name": f"test-{kind}", "passed": 0, "failed": 1, "seed": "", "log": "the output above",
                         "why": "it did not get as far as running its tests"})
    print_failures(rows, tails=False)
    failed = sum(row["failed"] for row in rows)
    print(f"{sum(row['passed'] for row in rows)} passed, {failed} failed")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("kind")
    run.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    run.add_argument("--limit", type=float, default=900)
    run.add_argument("entries", nargs="*")
    total = commands.add_parser("summary")
    total.add_argument("kinds", nargs="+")
    options = parser.parse_args()
    os.chdir(TOP)
    sys.exit(run_kind(options) if options.command == "run" else summary(options))


if __name__ == "__main__":
    main()
