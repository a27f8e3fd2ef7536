"""The test runner itself: a planted failure of each kind is counted, named and makes the run fail."""
import os
import subprocess
import sys

import testrun


def script(tmp_path, name, text):
    path = tmp_path / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def run(tmp_path, kind, *entries):
    environment = dict(os.environ, BUILD=str(tmp_path / "build"))
    done = subprocess.run([sys.executable, testrun.__file__, "run", kind, *entries], env=environment,
                          capture_output=True, text=True)
    summary = subprocess.run([sys.executable, testrun.__file__, "summary", kind], env=environment,
                             capture_output=True, text=True)
    assert summary.returncode == done.returncode
    return done.returncode, summary.stdout


def test_sums_are_added(tmp_path):
    status, text = run(tmp_path, "host", script(tmp_path, "a", "echo '3 passed, 0 failed'"),
                       script(tmp_path, "b", "echo '[  PASSED  ] 4 test(s).' >&2"), script(tmp_path, "c", "echo run a; echo run b"))
    assert status == 0 and text == "9 passed, 0 failed\n"


def test_planted_failure_names_log_and_seed(tmp_path):
    status, text = run(tmp_path, "sim", script(tmp_path, "bad", "echo 'seed 0x1f2e'; echo '2 passed, 1 failed'; exit 1"))
    assert status == 1
    assert "FAILED" in text and "bad.log" in text and "seed 0x1f2e" in text
    assert text.endswith("2 passed, 1 failed\n")


def test_failing_status_counts_without_a_sum(tmp_path):
    status, text = run(tmp_path, "host", script(tmp_path, "bad", "echo '2 passed, 0 failed'; exit 3"))
    assert status == 1 and "exit status 3" in text and text.endswith("2 passed, 1 failed\n")


def test_failure_in_the_sum_counts_without_a_status(tmp_path):
    status, text = run(tmp_path, "host", script(tmp_path, "bad", "echo '2 passed, 1 failed'"))
    assert status == 1 and text.endswith("2 passed, 1 failed\n")


def test_crash_is_named(tmp_path):
    status, text = run(tmp_path, "host", script(tmp_path, "bad", "kill -SEGV $$"))
    assert status == 1 and "killed by signal 11" in text


def test_planted_pytest_failure(tmp_path):
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_x.py").write_text("def test_good():\n    pass\n\ndef test_bad():\n    assert 1 == 2, 'planted'\n")
    status, text = run(tmp_path, "system", f"pytest:{folder}")
    assert status == 1 and "test_bad" in text and "planted" in text and text.endswith("1 passed, 1 failed\n")


def test_kind_that_never_ran_is_a_failure(tmp_path):
    environment = dict(os.environ, BUILD=str(tmp_path / "build"))
    done = subprocess.run([sys.executable, testrun.__file__, "summary", "guest"], env=environment, capture_output=True,
                          text=True)
    assert done.returncode == 1 and "FAILED test-guest" in done.stdout and done.stdout.endswith("0 passed, 1 failed\n")


def test_guest_that_tells_no_sum_fails(tmp_path):
    log = tmp_path / "guest.log"
    log.write_text("booting\n")
    assert testrun.count_checks(log.read_text()) is None
    command, lines = testrun.boot_command("init", ["bin/test_ipc", "smp=4", "restrict=nopit"])
    assert "4" == command[command.index("-smp") + 1]
    assert "init = bin/test_ipc" in lines and "restrict = nopit" in lines
