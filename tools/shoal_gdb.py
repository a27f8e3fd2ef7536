"""gdb commands for Shoal; tools/debug.py loads this."""
import glob
import os

import gdb

BUILD = os.path.dirname(gdb.objfiles()[0].filename) if gdb.objfiles() else "build"


def programs():
    """{name: ELF file with symbols} of every program that was built."""
    found = {}
    for path in glob.glob(f"{BUILD}/user/programs/*/*"):
        if os.path.isfile(path):
            found.setdefault(os.path.basename(path), path)
    return found


class Program(gdb.Command):
    """program NAME: load the symbols of a program of user space (programs share addresses: one at a time)."""

    def __init__(self):
        super().__init__("program", gdb.COMMAND_FILES)
        self.loaded = None

    def complete(self, text, _word):
        return [name for name in sorted(programs()) if name.startswith(text)]

    def invoke(self, argument, _from_tty):
        path = programs().get(argument.strip())
        if path is None:
            raise gdb.GdbError(f"no program '{argument}'; there are: {' '.join(sorted(programs()))}")
        if self.loaded:
            gdb.execute(f"remove-symbol-file {self.loaded}", to_string=True)
            self.loaded = None
        gdb.execute(f"add-symbol-file {path}", to_string=True)
        # Without an address, its own section addresses hold; remember one of them for its removal.
        self.loaded = f"-a {gdb.parse_and_eval('(long)&_start')}"
        print(f"symbols of {path}")


Program()
gdb.execute("set confirm off")
gdb.execute("set pagination off")
