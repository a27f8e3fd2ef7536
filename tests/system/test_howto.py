"""The how-tos say what is true: all of them are followed, in a copy of the tree, and what they show is compared.

In docs/howto/add-*.md a block ```LANG file=PATH is a file to write, ```diff a change to make, and ```console a conversation
with a node's shell: commands after "shoal$ ", and exactly what they print.
"""
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from shoalcluster.client import Cluster  # noqa: E402

HOWTOS = sorted((ROOT / "docs" / "howto").glob("add-*.md"))
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.M | re.S)
BUILD_LIMIT_S = 1200


def blocks(howto):
    return [match.groups() for match in BLOCK.finditer(howto.read_text())]


def find_hunk(text, old, where):
    assert text.count(old) == 1, f"{where}: its old lines stand {text.count(old)} times in the file:\n{old}"
    return text.index(old)


def apply_diff(top, diff):
    """Changes a file as the diff says; a hunk is found by its old lines, since line numbers age."""
    path = top / re.search(r"^\+\+\+ b/(\S+)$", diff, re.M).group(1)
    text = path.read_text()
    for hunk in re.split(r"^@@.*@@\n", diff, flags=re.M)[1:]:
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        at = find_hunk(text, old, path)
        text = text[:at] + new + text[at + len(old):]
    path.write_text(text)


def follow(top, howto):
    for language, file, body in blocks(howto):
        if file:
            assert not (top / file).exists(), f"{howto.name}: {file} exists already"
            (top / file).parent.mkdir(parents=True, exist_ok=True)
            (top / file).write_text(body)
        elif language == "diff":
            apply_diff(top, body)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A copy of the tree in which every how-to was followed, built on what was built before."""
    top = tmp_path_factory.mktemp("howto") / "shoal"
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                            capture_output=True).stdout.decode().split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, top / name)
    skip = shutil.ignore_patterns("third_party", "test", "host", "sim", "mutants", "shoal-*")
    shutil.copytree(ROOT / "build", top / "build", symlinks=True, ignore=skip)
    (top / "build" / "third_party").symlink_to((ROOT / "build" / "third_party").resolve())
    for howto in HOWTOS:
        follow(top, howto)
    done = subprocess.run(["make", "-s", "-j2", "build"], cwd=top, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=BUILD_LIMIT_S)
    assert done.returncode == 0, done.stdout[-4000:]
    return top


@pytest.fixture(scope="module")
def node(built):
    cluster = Cluster.up(name="howto", folder=str(built / "cluster"), attached=True, nodes=1, boot="pvh",
                         build=str(built / "build"))
    try:
        cluster.wait_shell(1)
        yield cluster
    finally:
        cluster.down()


def conversation(body):
    """[(command, expected output)]"""
    parts = re.split(r"^shoal\$ (.*)\n", body, flags=re.M)
    assert parts[0] == "", "a conversation begins with a command"
    return list(zip(parts[1::2], parts[2::2]))


@pytest.mark.parametrize("howto", HOWTOS, ids=lambda path: path.stem)
def test_howto(howto, node):
    talks = [body for language, _, body in blocks(howto) if language == "console"]
    assert talks, "a how-to shows what comes out"
    for body in talks:
        for command, expected in conversation(body):
            result = node.exec(1, command, limit=120)
            assert result.text == expected, f"{command}: printed {result.text!r} (status {result.status})"
