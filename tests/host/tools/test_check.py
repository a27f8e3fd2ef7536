"""make check finds what it is there to find: a planted violation of each kind, in a small tree."""
import pathlib
import shutil
import subprocess
import sys

import pytest

import check

TOP = pathlib.Path(check.TOOLS).parent


@pytest.fixture
def tree(tmp_path):
    """A tree in order, with one small file of lib."""
    shutil.copy(TOP / ".clang-format", tmp_path)
    shutil.copytree(TOP / "abi", tmp_path / "abi")
    (tmp_path / "lib/base").mkdir(parents=True)
    (tmp_path / "kernel/cluster").mkdir(parents=True)
    (tmp_path / "kernel/cluster/inner.h").write_text("#pragma once\n")
    (tmp_path / "lib/base/small.c").write_text("#include <stdint.h>\n\nuint32_t base_small(void);\n\n"
                                               "uint32_t base_small(void)\n{\n    return 1;\n}\n")
    (tmp_path / "tests/golden").mkdir(parents=True)
    (tmp_path / "tests/golden/abi.txt").write_text(check.current_abi(str(tmp_path)))
    return tmp_path


def run(tree, part):
    done = subprocess.run([sys.executable, check.__file__, "--top", str(tree), part], capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("part", ["includes", "static", "abi"])
def test_tree_in_order_passes(tree, part):
    assert run(tree, part) == (0, f"check {part}: ok\n")


def plant(tree, text):
    with open(tree / "lib/base/small.c", "a") as stream:
        stream.write(text)


def test_format(tree):
    shutil.rmtree(tree / "abi")
    assert run(tree, "format")[0] == 0
    plant(tree, "uint32_t  base_other( void )  {return 2 ;}\n")
    status, text = run(tree, "format")
    assert status == 1 and "lib/base/small.c" in text


@pytest.mark.parametrize("line", ["#include <kernel/arch.h>", "#include <os/syscall.h>", "#include <stdio.h>",
                                  '#include "../../kernel/cluster/inner.h"', "#include <raft/raft.h>"])
def test_include_upwards(tree, line):
    plant(tree, line + "\n")
    status, text = run(tree, "includes")
    assert status == 1 and "lib/base/small.c:9:" in text


def test_kernel_may_not_include_its_cluster(tree):
    (tree / "kernel/other.c").write_text('#include "cluster/inner.h"\n')
    status, text = run(tree, "includes")
    assert status == 1 and "kernel/other.c:1:" in text and "kernel/cluster" in text


@pytest.mark.parametrize("body", ["    int *p = 0;\n    *p = 1;\n", "    int a[2] = {0, 0};\n    a[2] = 1;\n"])
def test_static_analysis(tree, body):
    plant(tree, "void base_bad(void);\nvoid base_bad(void)\n{\n" + body + "}\n")
    status, text = run(tree, "static")
    assert status == 1 and "lib/base/small.c" in text


def edit(tree, path, old, new):
    text = (tree / path).read_text()
    assert old in text
    (tree / path).write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("path,old,new,shown", [
    ("abi/errno.def", "E_UNKNOWN, 2", "E_UNKNOWN, 102", "+enum E_UNKNOWN 102"),
    ("abi/include/abi/bundle.h", "uint32_t kind;", "uint64_t kind;", "bundle_part"),
    ("abi/include/abi/peer.h", " 7447u", " 7448u", "+define PEER_PORT 7448"),
    ("abi/idl/block.msg", "op flush 4", "op flush 9", "+op block.flush 0x0709"),
])
def test_changed_contract(tree, path, old, new, shown):
    edit(tree, path, old, new)
    (tree / "abi/include/abi/bundle.h").write_text(
        (tree / "abi/include/abi/bundle.h").read_text().replace("_Static_assert(sizeof(struct bundle_part)", "//"))
    status, text = run(tree, "abi")
    assert status == 1 and shown in text and "contract changed" in text
