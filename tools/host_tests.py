#!/usr/bin/python3
"""Run host test programs and pytest files; print failures with their logs and end in `N passed, N failed`.

A program passes when it exits with 0. Its output goes to PROGRAM.log. A time limit only detects hangs.
"""
import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as xml

HANG_S = 600
TAIL_LINES = 30


def tail(path):
    lines = path.read_text(errors="replace").splitlines()
    return "\n".join("    " + line for line in lines[-TAIL_LINES:])


def run_program(program):
    """-> (name, None or why it failed, log)"""
    log = pathlib.Path(program + ".log")
    environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:abort_on_error=0", UBSAN_OPTIONS="print_stacktrace=1")
    with open(log, "wb") as output:
        try:
            status = subprocess.run([program], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                    timeout=HANG_S, env=environment).returncode
        except subprocess.TimeoutExpired:
            return program, f"hung for {HANG_S} s", log
    if status == 0:
        return program, None, log
    return program, f"signal {-status}" if status < 0 else f"exit status {status}", log


def run_programs(programs):
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for program, why, log in pool.map(run_program, programs):
            if why is None:
                passed += 1
                continue
            failed += 1
            print(f"FAILED {program}: {why}; log {log}\n{tail(log)}")
    return passed, failed


def run_pytest(folder, out):
    if not any(pathlib.Path(folder).rglob("test_*.py")):
        return 0, 0
    report, log = out / "pytest.xml", out / "pytest.log"
    report.unlink(missing_ok=True)
    with open(log, "wb") as output:
        subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", folder],
                       stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    if not report.exists():
        print(f"FAILED pytest {folder}: it left no report; log {log}\n{tail(log)}")
        return 0, 1
    passed = failed = 0
    for case in xml.parse(report).getroot().iter("testcase"):
        bad = [child for child in case if child.tag in ("failure", "error")]
        if bad:
            failed += 1
            print(f"FAILED {case.get('classname')}.{case.get('name')}; log {log}")
        elif case.find("skipped") is None:
            passed += 1
    if failed:
        print(tail(log))
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for the pytest report and log")
    parser.add_argument("--pytest", help="folder whose test_*.py run too")
    parser.add_argument("programs", nargs="*")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    passed, failed = run_programs(arguments.programs)
    if arguments.pytest:
        more_passed, more_failed = run_pytest(arguments.pytest, arguments.out)
        passed, failed = passed + more_passed, failed + more_failed
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
