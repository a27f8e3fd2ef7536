"""One machine: the shell on its console, the agent on its second line, servers that die and come back."""
import re

import pytest

from shell_machine import Machine


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    with Machine(tmp_path_factory.mktemp("machine")) as one:
        one.connect()
        yield one


@pytest.mark.parametrize("command, status, says", [
    ("echo hello", 0, "hello\n"),
    ("echo 'a  b' \"c $? d\" e\\ f", 0, "a  b c 0 d e f\n"),
    ("false", 1, ""),
    ("exit 7", 7, ""),
    ("date +%s%N | wc -c", 0, "     20 \n"),
    ("true && echo yes || echo no", 0, "yes\n"),
    ("false && echo yes || echo no", 0, "no\n"),
    ("false; echo $?", 0, "1\n"),
    ("A=1; echo $A${A}x$B.", 0, "11x.\n"),
    ("export COLOR=blue; env | grep COLOR", 0, "COLOR=blue\n"),
    ("echo one > /tmp/t; echo two >> /tmp/t; cat < /tmp/t; rm /tmp/t", 0, "one\ntwo\n"),
    ("cat /nope 2> /tmp/e; cat /tmp/e", 0, "cat: /nope: No such file or directory\n"),
    ("cat /nope 2>&1 | wc -l", 0, "      1 \n"),
    ("echo out 2> /tmp/e >&2; cat /tmp/e; echo gone >&2 | wc -c > /tmp/e; cat /tmp/e", 0, "out\ngone\n      0 \n"),
    ("ls /nope > /tmp/e 2>&1 > /tmp/f; wc -l < /tmp/e; wc -l < /tmp/f; rm /tmp/e /tmp/f", 0, "      1 \n      0 \n"),
    ("seq 5 | sort | head -n 2", 0, "1\n2\n"),
    ("seq 100000 | wc", 0, " 100000  100000  588895 \n"),
    ("mkdir /tmp/g; cd /tmp/g; echo 1 > a.x; echo 2 > b.x; echo 3 > c.y; echo *.x '*.x' *.z; cd /; rm -r /tmp/g", 0,
     "a.x b.x *.x *.z\n"),
    ("pwd > /tmp/p; cat /tmp/p", 0, "/tmp\n"),
    ("jobs | wc -l", 0, "      0 \n"),
    ("sh -c 'echo $1 $#' word", 0, "word 1\n"),
    ("echo 'echo script $1' > /tmp/s; /tmp/s here", 0, "script here\n"),
    ("sh -c 'kill $$'; echo $?", 0, "sh: sh: killed by signal 15\n143\n"),
    ("mkdir /tmp/m; echo > /tmp/a; echo > /tmp/b; mv /tmp/a /tmp/b /tmp/m; ls /tmp/m; rm -r /tmp/m", 0, "a\nb\n"),
    ("jobs | true; seq 9 | jobs; echo alive", 0, "alive\n"),
    ("sleep 0 & wait; echo done", 0, "done\n"),
    ("sleep 100 & kill %1; wait %1; echo $?", 0, "143\n"),
    ("hash /dev/null", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  /dev/null\n"),
])
def test_commands(machine, command, status, says):
    assert machine.run(command) == (status, says)


@pytest.mark.parametrize("command, status, says", [
    ("nonsense", 127, "no such command; `help` lists what there is"),
    ("/tmp/nonsense", 127, "no such file or directory"),
    ("echo 'a", 2, "a closing ' is missing"),
    ("echo |", 2, "a command is expected"),
    ("| wc", 2, "a command is expected before |"),
    ("true &&", 2, "a command is expected after && or ||"),
    ("echo >", 2, "a file name is expected after < or >"),
    ("echo x > /bin/y", 1, "read-only"),
    ("cat /etc", 1, "cat: /etc: Is a directory"),
    ("sh /etc", 126, "Is a directory"),
    ("sh /bin/ls", 126, "this is no script"),
    (". /etc", 1, "Is a directory"),
    ("head -n -1 /etc/supervisor.conf", 2, "a number of lines is expected, not '-1'"),
    ("date now", 2, "usage: date"),
    ("echo >&3", 2, "a file name is expected"),
    ("on two true", 125, "'two' is no node; `nodes` lists them"),
    pytest.param(f"echo {'a' * 70000}", 126, "a command is at most 65536 bytes", id="a command of 70000 bytes"),
    ("cd /nope", 1, "No such file"),
    ("kill", 2, "expected"),
    ("kill 0.4242", 1, "no such process; `ps` lists them"),
    ("on", 2, "expected: on NODE PROGRAM"),
    ("lock x", 2, "expected: lock"),
    ("run -n 0 true", 2, "'0' is no number from 1 to 64; expected: run"),
    ("lock --delay 100 x -- true", 2, "'100' is no number from 0 to 60; expected: lock"),
    ("sem x 99999999999999999999999 -- true", 2, "is no number from 1 to"),
    ("exit 256", 2, "a status from 0 to 255 is expected"),
])
def test_errors_say_what_was_expected(machine, command, status, says):
    actual, text = machine.run(command)
    assert actual == status and says in text, text


def test_examples_of_help(machine):
    """Those that need no other machine work; none names a command that is not there."""
    alone = {"nodes", "allow", "on", "run", "placements", "lock", "sem", "barrier", "elect", "txn", "put", "get", "keys", "del", "key",
             "raft", "ping"}
    examples = machine.output("help --examples").splitlines()
    assert len(examples) > 40
    for example in examples:
        status, text = machine.run(example)
        assert "no such command" not in text and "is not known" not in text, f"{example}: {text}"
        if example.split()[0] not in alone:
            assert status == 0, f"{example}: status {status}\n{text}"


def test_large_data_through_pipes_and_files(machine):
    machine.output("seq 120000 > /tmp/big")
    direct = machine.output("hash /tmp/big").split()[0]
    piped = machine.output("cat /tmp/big | cat | cat | hash").split()[0]
    assert direct == piped
    machine.output("rm /tmp/big")


def test_full_tmp_is_an_error_and_frees_again(machine):
    status, text = machine.run("cat /dev/zero > /tmp/full")
    assert status != 0 and text
    machine.output("rm /tmp/full; echo again > /tmp/full; rm /tmp/full")


def test_cancel(machine):
    machine.start("echo started; sleep 1000")
    while not machine.events:
        machine.receive()
    machine.connect()
    assert machine.run("echo back") == (0, "back\n")
    assert "sleep" not in machine.output("ps")


def test_input_waits_for_a_reader_that_is_busy(machine):
    """More than all queues of the line hold."""
    first = machine.start("sleep 2")
    second = machine.start(f"echo {'a' * 60000} | wc -c")
    assert machine.finish(first) == (0, "")
    assert machine.finish(second) == (0, "  60001 \n")


def test_a_command_that_was_cut_short_on_the_line_is_given_up(machine):
    for start in (b"\x02 4000 1000\necho only this of it arrives", b"\x02 4000 10", b"\x02", b"\x02 9 \x02 x\x02"):
        machine.start("true")
        machine.line.sendall(start)
        machine.connect()
        assert machine.run("echo back") == (0, "back\n")


def test_programs_that_find_no_memory_are_an_error_and_the_shell_goes_on(machine):
    status, text = machine.run("sleep 100 & " * 40 + "jobs | wc -l; kill %1; wait %1; echo alive")
    assert "all memory for programs is promised" in text or "jobs are running" in text
    assert status == 0 and text.endswith("alive\n")
    assert machine.run("sleep 0; echo back") == (0, "back\n")


def test_output_is_not_held_back_by_what_stays_behind(machine):
    assert machine.run("sleep 1000 & echo started") == (0, "started\n")


def test_no_process_is_left(machine):
    rows = machine.output("ps").splitlines()[1:]
    names = {row.split()[-2] for row in rows}
    assert {"shell", "agent"} <= names <= {"shell", "agent", "ps", "sh"}, rows


def test_numbers_of_servers_and_shells_are_those_of_ps(machine):
    services = {row[0]: row[1] for row in re.findall(r"^(\w+) +running +([\d.]+) ", machine.output("service"), re.M)}
    listed = dict(re.findall(r"^([\d.]+) +here .* (\w+) +running$", machine.output("ps -a"), re.M))
    assert len(services) > 5 and all(listed[number] == name for name, number in services.items())
    machine.type("echo the number is $$\n")
    machine.expect(r"the number is \$\$")
    shown = re.search(r"[\d.]+$", machine.expect(r"the number is \d+\.\d+"))[0]
    assert re.search(rf"^{re.escape(shown)} +here .* shell +running$", machine.output("ps"), re.M)
    assert machine.run(f"kill {services['names']}") == (
        1, f"kill: {services['names']}: the node's supervisor runs it; `service stop NAME` ends it\n")


@pytest.mark.parametrize("service", ["serial0", "console", "process", "names"])
def test_servers_come_back(tmp_path, service):
    with Machine(tmp_path) as one:
        one.expect(r"\$ ")
        one.type(f"service stop {service}\r")
        if service == "names":
            one.expect(r"\$ ")
            one.type("ls /\r")  # finds out, ends, and is started again
            one.expect("this shell ends")
        if service in ("names", "console"):
            one.expect("Shoal on")
        one.expect(r"\$ ")
        one.type("echo good\\ again; ls / | wc -l\r")
        one.expect(r"good again\n +8 \n")
        one.type("service | grep 'killed'\r")
        assert re.search(rf"{service} +running", one.expect(r"killed \(15\)"))


def test_a_running_child_outlives_the_process_server(tmp_path):
    with Machine(tmp_path) as one:
        one.expect(r"\$ ")
        one.type("sh -c 'sleep 2; exit 9' &\r")
        one.expect(r"\[1\]")
        one.type("service stop process\r")
        one.type("wait %1; echo status=$?\r")
        one.expect("status=9\n")


def test_interrupt_on_the_console(tmp_path):
    with Machine(tmp_path) as one:
        one.expect(r"\$ ")
        one.type("sleep 1000 | cat\r")
        one.expect(r"sleep 1000 \| cat\n")
        one.type("\x03")
        one.expect(r"\^C\n.*\$ ")
        one.type("echo status=$?\r")
        one.expect("status=130\n")
        one.type("sleep 1000; echo not\\ this; echo nor\\ this\r")
        one.expect(r"nor\\ this\n")
        one.type("\x03")
        assert "not this" not in one.expect(r"\^C\n.*\$ ")
        one.type("cat\rline\r")
        one.expect(r"line\n+line\n")
        one.type("\x04")
        one.expect(r"\$ ")


def test_editing_on_the_console(tmp_path):
    with Machine(tmp_path) as one:
        one.expect(r"\$ ")
        one.type("ech\t a b\x7fc\r")
        one.expect(r"\na c\n")
        one.type("\x1b[A\r")
        one.expect(r"\na c\n")
        one.type("cat /etc/supervisor\t | head -n 1\r")
        one.expect("# What a node runs")


def test_run_instead_of_asking(tmp_path):
    with Machine(tmp_path, "run=echo ran && false") as one:
        one.expect("ran\n")
        assert one.process.wait(timeout=60) == 1 << 1 | 1
