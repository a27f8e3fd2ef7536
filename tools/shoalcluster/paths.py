"""Where a cluster keeps its sockets, disks and logs, and where the build puts what machines boot from."""
import getpass
import os
import re
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOCKET_PATH_MAX = 107  # the kernel's limit for unix sockets
LONGEST_NAME = len("/node64/console.sock")


class ClusterError(Exception):
    """Something the person at the keyboard can understand and mend; the text says how."""


def build_folder():
    return os.path.abspath(os.environ.get("BUILD", os.path.join(TOP, "build")))


def default_folder(name):
    """The state folder of a cluster by name: private to the user, gone with `down`."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,32}", name):
        raise ClusterError(f"'{name}' is no name for a cluster: 1 to 32 letters, digits, '_', '.', '-'")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK):
        return os.path.join(runtime, f"shoal-{name}")
    return os.path.join(tempfile.gettempdir(), f"shoal-{getpass.getuser()}-{name}")


def check_folder(folder):
    folder = os.path.abspath(folder)
    if len(folder) + LONGEST_NAME > SOCKET_PATH_MAX:
        raise ClusterError(f"{folder}: the path is too long for sockets; give a shorter one with --dir")
    return folder
