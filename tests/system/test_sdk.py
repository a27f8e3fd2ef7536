"""The SDK is enough: programs outside the tree are built with a copy of it, and run on a node."""
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
HANG_S = 300.0  # limits only detect hangs

PLAIN = r"""
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void *add(void *sum)
{
    *(int *)sum += 1;
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    int sum = 41;
    if (pthread_create(&thread, NULL, add, &sum) || pthread_join(thread, NULL))
        return 1;
    fopen("/nowhere", "r");
    printf("%s %d %.1f %s\n", argc > 1 ? argv[1] : "", sum, sqrt(6.25), strerror(errno));
    return 3;
}
"""


@pytest.fixture
def sdk(tmp_path):
    """A copy of build/sdk where nothing of the tree is near."""
    subprocess.run(["make", "-s", "sdk"], cwd=TOP, check=True, stdout=subprocess.DEVNULL, timeout=1200)
    return pathlib.Path(shutil.copytree(TOP / "build" / "sdk", tmp_path / "the sdk"))


def compile_all(sdk, folder):
    """The example as it is, and a program of two parts that knows nothing of Shoal."""
    folder.mkdir()
    compiler = sdk / "bin" / "shoal-cc"
    (folder / "plain.c").write_text(PLAIN.replace("int main", "int rest(void);\nint main").replace("return 3", "return rest()"))
    (folder / "rest.c").write_text("int rest(void)\n{\n    return 3;\n}\n")
    for command in (["-Wall", "-Werror", sdk / "examples" / "lock.c", "-o", "outside-lock"],
                    ["-Wall", "-Wextra", "-Werror", "-O1", "-c", "plain.c"],
                    ["-s", "rest.c", "plain.o", "-lm", "-lpthread", "-o", "outside-plain"]):
        subprocess.run([compiler, *command], cwd=folder, check=True, timeout=120)
    refused = subprocess.run([compiler, "-shared", "rest.c"], cwd=folder, capture_output=True, text=True, timeout=120)
    assert refused.returncode == 2 and "linked statically" in refused.stderr
    return [folder / "outside-lock", folder / "outside-plain"]


def image_with(folder, programs):
    """What machines boot from: this build's, and the programs. `make image ADD=...` does the same in place."""
    build = TOP / "build"
    files = [word for program in programs for word in ("--file", f"bin/{program.name}={program}")]
    subprocess.run([sys.executable, TOP / "tools" / "mkimage.py", "-o", folder / "shoal.img", "--kernel",
                    build / "kernel" / "plain.elf", "--root", build / "root", *files], check=True, timeout=120)
    os.symlink(build / "kernel.elf", folder / "kernel.elf")
    return str(folder)


def test_a_program_outside_the_tree(sdk, tmp_path, node):
    programs = compile_all(sdk, tmp_path / "work")
    (tmp_path / "image").mkdir()
    cluster = node(build=image_with(tmp_path / "image", programs))
    cluster.wait_shell(1, HANG_S)
    result = cluster.exec(1, "outside-plain word", limit=HANG_S)
    assert (result.status, result.text) == (3, "word 42 2.5 No such file or directory\n")
    cluster.wait_quorum((1,), HANG_S)
    result = cluster.exec(1, "outside-lock", limit=HANG_S)
    assert result.status == 0 and result.text.startswith("held, fence "), result
