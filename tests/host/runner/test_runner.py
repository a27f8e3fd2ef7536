"""The runner of host tests itself: a planted failure of each kind is counted, named, and fails the run."""
import pathlib
import stat
import subprocess
import sys

RUNNER = pathlib.Path(__file__).parents[3] / "tools" / "host_tests.py"


def program(folder, name, text):
    path = folder / name
    path.write_text("#!/bin/sh\n" + text + "\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def run(folder, *arguments):
    return subprocess.run([sys.executable, str(RUNNER), "--out", str(folder / "out"), *arguments],
                          capture_output=True, text=True)


def test_all_pass(tmp_path):
    result = run(tmp_path, program(tmp_path, "test_a", "exit 0"), program(tmp_path, "test_b", "exit 0"))
    assert result.returncode == 0
    assert result.stdout.splitlines()[-1] == "2 passed, 0 failed"


def test_failing_program_is_named_with_its_output(tmp_path):
    result = run(tmp_path, program(tmp_path, "test_a", "exit 0"), program(tmp_path, "test_bad", "echo the reason; exit 3"))
    assert result.returncode == 1
    assert "test_bad: exit status 3" in result.stdout and "the reason" in result.stdout
    assert result.stdout.splitlines()[-1] == "1 passed, 1 failed"


def test_signal_is_a_failure(tmp_path):
    result = run(tmp_path, program(tmp_path, "test_bad", "kill -9 $$"))
    assert result.returncode == 1 and "signal 9" in result.stdout


def test_failing_pytest_is_named(tmp_path):
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "test_x.py").write_text("def test_good():\n    pass\n\ndef test_wrong():\n    assert 1 == 2\n")
    result = run(tmp_path, "--pytest", str(tests))
    assert result.returncode == 1
    assert "test_wrong" in result.stdout
    assert result.stdout.splitlines()[-1] == "1 passed, 1 failed"


def test_python_file_that_does_not_load_is_a_failure(tmp_path):
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "test_x.py").write_text("this is not python\n")
    assert run(tmp_path, "--pytest", str(tests)).returncode == 1
