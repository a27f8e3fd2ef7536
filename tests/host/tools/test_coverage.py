"""make coverage fails for what it is there to find: a planted way that nothing takes, and a list that is not true."""
import pathlib
import subprocess
import sys

import pytest

import check

COVERAGE = pathlib.Path(check.TOOLS) / "coverage.py"
SOURCE = """#define ASSERT(c) ((c) ? (void)0 : __builtin_trap())
static int unused(int a)
{
    return a + 1;
}
int half(int a)
{
    ASSERT(a >= 0 &&
           a < 100);
    if (a > 50)
        return unused(a);
    return a / 2;
}
int main(void)
{
    return half(4) == 2 ? 0 : 1;
}
"""
TRUE, FALSE = "never true: a > 50", "never false: half(4) == 2"
MISSED = ["lib/small/half.c: unused: never called", f"lib/small/half.c: half: {TRUE}", f"lib/small/half.c: main: {FALSE}"]
LISTED = "# ways\n\n" + "\n".join(MISSED) + "\n    Nobody has more than 50, since\n    there are only 40.\n"


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "lib/small").mkdir(parents=True)
    (tmp_path / "lib/small/half.c").write_text(SOURCE)
    return tmp_path


def judged(tree, listed, least=50):
    """(status, what is said behind the table)"""
    subprocess.run(["clang", "-fprofile-instr-generate", "-fcoverage-mapping", "lib/small/half.c", "-o", "half"],
                   cwd=tree, check=True)
    (tree / "list").write_text(listed)
    done = subprocess.run([sys.executable, COVERAGE, "--out", tree, "--folder", "lib/small", "--least", str(least),
                           "--list", "list", "half"], cwd=tree, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).partition("lib/small   ")[2].partition("\n")[2].splitlines() \
        or done.stderr.splitlines()


def test_what_is_explained_passes_wherever_it_stands(tree):
    assert judged(tree, LISTED) == (0, ["coverage: as it should be"])
    assert (tree / "uncovered.txt").read_text().splitlines() == MISSED  # the assert's own ways are not among them
    (tree / "lib/small/half.c").write_text("/* moved */\n\n" + SOURCE.replace("a > 50", "a >\n        50"))
    assert judged(tree, LISTED) == (0, ["coverage: as it should be"])


def test_what_is_not_explained_fails(tree):
    assert judged(tree, LISTED.replace(MISSED[1] + "\n", "")) == (1, [f"not explained in list: {MISSED[1]}"])
    planted = SOURCE.replace("    return a / 2;", "    if (a == 7)\n        return 9;\n    return a / 2;")
    (tree / "lib/small/half.c").write_text(planted)
    assert judged(tree, LISTED) == (1, ["not explained in list: lib/small/half.c: half: never true: a == 7"])


@pytest.mark.parametrize("change", [("half(4) == 2", "half(4) == 2 && half(60) == 61"), ("if (a > 50)", "if (a > 60)")])
def test_what_is_taken_or_gone_must_not_be_explained(tree, change):
    (tree / "lib/small/half.c").write_text(SOURCE.replace(*change))
    status, told = judged(tree, LISTED)
    assert status == 1 and f"explained in list, but taken or gone: {MISSED[1]}" in told


def test_too_little_fails(tree):
    assert judged(tree, LISTED, least=51) == (1, ["lib/small: 50.0 % of the ways, at least 51.0 % are wanted"])


@pytest.mark.parametrize("listed, told", [
    (MISSED[0] + "\n", "list: no reason: " + MISSED[0]),
    (MISSED[0] + "\n\n" + MISSED[1] + "\n    why\n", "list:2: no reason before this line: " + MISSED[0]),
    ("    why\n", "list:1: a reason of nothing"),
    (LISTED + MISSED[0] + "\n    why\n", f"list:8: twice: {MISSED[0]}"),
])
def test_a_list_out_of_form_fails(tree, listed, told):
    assert judged(tree, listed) == (1, [told])
