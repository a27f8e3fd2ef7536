#!/usr/bin/python3
"""Boots one node through the PVH door with gdb attached from its first instruction on.

    debug.py [--mem M] [--smp C] [--program NAME]... -- [GDB ARGUMENTS]

At the gdb prompt, `program NAME` loads the symbols of a program of user space; `c` starts the machine. The node's console
is in build/debug/node1.log, its shell at `tools/cluster --name debug console 1`.
"""
import argparse
import os
import signal
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tools"))

from shoalcluster import paths  # noqa: E402
from shoalcluster.client import Cluster  # noqa: E402
from shoalcluster.paths import ClusterError  # noqa: E402

START_LIMIT_S = 60.0
HINT = "The machine waits: c starts it, ^C stops it; `tools/cluster --name debug console 1` elsewhere is its shell."


def wait_for(path):
    """The emulator makes the socket when it is up; gdb would not wait for it."""
    end = time.monotonic() + START_LIMIT_S
    while not os.path.exists(path):
        if time.monotonic() > end:
            sys.exit(f"debug: the emulator did not make {path}")
        time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mem", type=int, default=128)
    parser.add_argument("--smp", default="1")
    parser.add_argument("--program", action="append", default=[])
    parser.add_argument("gdb", nargs="*")
    options = parser.parse_args()
    build = paths.build_folder()
    folder = paths.check_folder(paths.default_folder("debug"))
    socket = os.path.join(folder, "gdb")
    try:
        cluster = Cluster.up(name="debug", nodes=1, boot="pvh", mem=options.mem, smp=options.smp, accel="tcg", attached=True,
                             logs=os.path.join(build, "debug"),
                             node_settings={"1": {"extra": ["-S", "-gdb", f"unix:{socket},server=on,wait=off"]}})
    except ClusterError as error:
        sys.exit(f"debug: {error}")
    # ^C belongs to gdb: it stops the guest, not this program.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        wait_for(socket)
        command = ["gdb", "-q", f"{build}/kernel.elf", "-ex", f"source {TOP}/tools/shoal_gdb.py", "-ex",
                   f"target remote {socket}", "-ex", f"echo {HINT}\\n"]
        for name in options.program:
            command += ["-ex", f"program {name}"]
        status = subprocess.run(command + options.gdb, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                                check=False).returncode
    finally:
        cluster.down()
    sys.exit(status)


if __name__ == "__main__":
    main()
