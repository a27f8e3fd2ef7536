"""make debug's gdb: attached before the first instruction, with the symbols of the kernel and of programs, and nothing left."""
import os
import re
import subprocess
import sys

from shoalcluster import paths

HANG_S = 300.0  # limits only detect hangs


def test_symbols_of_kernel_and_program_and_nothing_left(tmp_path):
    """The kernel stops at its beginning, the first process at its own, and each backtrace has names."""
    steps = ["break kernel_main", "continue", "backtrace", "delete", "program supervisor", "hbreak os_main", "continue",
             "backtrace", "program lua", "info symbol luaL_newstate"]
    command = [sys.executable, os.path.join(paths.TOP, "tools", "debug.py"), "--program", "wc", "--", "-batch"]
    for step in steps:
        command += ["-ex", step]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, stdin=subprocess.DEVNULL, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "symbols of " in said and "/bin/wc" in said, said
    assert "#0  kernel_main (" in said, said
    assert re.search(r"#\d  .*os_main \(startup=.*\n(.*\n)?#\d  .* in _start \(\)", said), said
    assert "luaL_newstate in section .text" in said, said
    assert not os.path.exists(paths.default_folder("debug"))
