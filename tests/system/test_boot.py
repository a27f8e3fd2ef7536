"""The kernel's boot through the PVH door: processors, clocks, memory sizes, missing hardware, refusals, the last panic.

Each case is one short QEMU run; the guest ends it through the emulator's exit device. Limits only detect hangs.
"""
import os
import pathlib
import struct
import subprocess
import tempfile

import pytest

BUILD = pathlib.Path(os.environ.get("BUILD", "build"))
HANG_S = 120
EXIT_GOOD = 1        # (0 << 1) | 1: the first program asked for it
EXIT_STOPPED = 0x7f  # (0x3f << 1) | 1: boot_stop()
EXIT_PANIC = 0xff    # (0x7f << 1) | 1
HEADER_BYTES = 128
PART = struct.Struct("<64sIIQQ32s8x")
GOOD = "init=test/test_basic"


def command(config, *arguments, image=None, machine="q35", memory=256, serial="stdio", cpu="max", reboot="-no-reboot"):
    return ["qemu-system-x86_64", "-machine", machine, "-cpu", cpu, "-accel", "tcg", "-m", str(memory), "-nodefaults",
            "-display", "none", "-serial", serial, *([reboot] if reboot else []),
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", str(BUILD / "kernel.elf"),
            *(["-initrd", str(image or BUILD / "shoal.img")] if image is not False else []), "-append", config, *arguments]


def boot(config, *arguments, **options):
    """(exit status, console text) of a run."""
    done = subprocess.run(command("panic=exit;" + config, *arguments, **options), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=HANG_S)
    return done.returncode, done.stdout.decode(errors="replace")


def boot_well(config="", *arguments, **options):
    status, text = boot(f"{config};{GOOD}", *arguments, **options)
    assert status == EXIT_GOOD, text
    assert " 0 failed" in text
    return text


def boot_refused(config, *arguments, **options):
    status, text = boot(config, *arguments, **options)
    assert status == EXIT_STOPPED, text
    assert "*** the boot stops: " in text and "*** what to do: " in text
    return text


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_processors(cpus):
    text = boot_well("", "-smp", str(cpus))
    assert cpus == 1 or f"cpu: {cpus} of {cpus} run" in text


def test_a_processor_that_does_not_start_is_left_out():
    text = boot_well("restrict=deadcpu", "-smp", "3")
    assert "did not start; it is left out" in text
    assert "cpu: 2 of 3 run" in text


@pytest.mark.parametrize("restrict, clock", [("", "ACPI PM timer"), ("nopmtimer", "HPET"), ("nopmtimer,nohpet", "PIT")])
def test_clocks(restrict, clock):
    text = boot_well(f"restrict={restrict}" if restrict else "")
    assert f"measured with the {clock}" in text


def test_without_pit_and_hpet():
    boot_well(machine="q35,pit=off,hpet=off")


def test_without_any_clock_it_says_so():
    status, text = boot("restrict=nopmtimer,nohpet,nopit")
    assert status == EXIT_PANIC
    assert "no clock on this machine works" in text
    assert "clock_init+0x" in text  # the backtrace has names


@pytest.mark.parametrize("memory", [64, 3500])
def test_memory_sizes(memory):
    assert f"{memory - 1} MiB of memory" in boot_well(memory=memory)


def test_old_machine_and_old_processor():
    boot_well(machine="pc")
    assert "no source of entropy" in boot_well(cpu="qemu64")


def test_without_serial_port():
    status, _ = boot(GOOD, serial="none")
    assert status == EXIT_GOOD


@pytest.mark.parametrize("line, says", [
    ("colour = red", "'colour' is no key; keys are: cluster"),
    ("console = loud", "'loud' is no value for 'console'"),
    ("address = 10.0.0.300/24", "'10.0.0.300/24' is no value for 'address'"),
    ("just words", "is not of the form"),
    ("heartbeat_ms = 0", "takes 1 to 60000"),
])
def test_bad_configuration(line, says):
    text = boot_refused(f"node = a;{line}")
    assert says in text
    assert "configuration line 3" in text


def test_missing_bundle():
    assert "there is no boot bundle" in boot_refused("", image=False)


def test_missing_first_program():
    assert "the first program is not in the bundle" in boot_refused("init = bin/nothing")


def parts():
    with open(BUILD / "shoal.img", "rb") as file:
        data = file.read()
    count, _, offset = struct.unpack_from("<IQQ", data, 12)
    rows = [PART.unpack_from(data, offset + i * PART.size) for i in range(count)]
    return data, offset, [(name.rstrip(b"\0").decode(), at, size) for name, _, _, at, size, _ in rows]


def boot_damaged(data, at):
    damaged = bytearray(data)
    damaged[at] ^= 0x20
    with tempfile.NamedTemporaryFile(suffix=".img") as file:
        file.write(damaged)
        file.flush()
        return boot_refused("", image=file.name)


def test_a_damaged_part_is_named():
    data, _, rows = parts()
    assert len(rows) > 10
    for at, size in sorted({(at, size) for _, at, size in rows if size}):  # equal parts share their bytes
        text = boot_damaged(data, at + size // 2)
        assert any(f"'{name}' is damaged" in text for name, where, _ in rows if where == at)


def test_a_damaged_header_or_table_is_told():
    data, table, _ = parts()
    assert "wrong magic number" in boot_damaged(data, 0)
    assert "its header is damaged" in boot_damaged(data, 20)
    assert "its part table is damaged" in boot_damaged(data, table + 3)


def test_a_bundle_cut_short_is_told():
    with tempfile.NamedTemporaryFile(suffix=".img") as file:
        file.write(parts()[0][:-8192])
        file.flush()
        assert "cut off" in boot_refused("", image=file.name)


def test_a_panic_is_told_by_the_next_boot():
    """The end of the first process is a panic; the machine restarts and finds the text."""
    lines = []
    process = subprocess.Popen(command("init=bin/false", reboot=None), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    try:
        for raw in process.stdout:
            lines.append(raw.decode(errors="replace").rstrip())
            if "| backtrace:" in lines[-1]:
                break
    finally:
        process.kill()
        process.wait()
    text = "\n".join(lines)
    assert "*** panic on cpu" in text
    assert "the last run of this node ended in a panic" in text
    assert text.index("*** panic on cpu") < text.index("the last run of this node") < text.rindex("bin/false ended")
