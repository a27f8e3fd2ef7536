#!/usr/bin/python3
"""make check: what can be said about the source without running it.

    check.py [--top FOLDER] [PART]...     parts: format includes static abi (all)
    check.py --write                      mends what can be mended: formats the source, renews the golden ABI file
"""
import argparse
import concurrent.futures
import difflib
import os
import subprocess
import sys

TOOLS = os.path.dirname(os.path.abspath(__file__))
GOLDEN = "tests/golden/abi.txt"
ANALYSED = ("abi/", "boot/", "drivers/", "kernel/", "lib/", "net/", "user/")
# Why each is left out: constStatement misreads asm operands; the pointers that comparePointers means are the linker's
# section bounds; nullPointerRedundantCheck and uninitvar do not see noreturn functions of other files, nor that an address
# is only taken (clang's analyser does both better); va_end_missing does not see va_end behind a noreturn call.
CPPCHECK_IGNORED = ("constStatement", "comparePointers", "subtractPointers", "va_end_missing", "missingInclude",
                    "nullPointerRedundantCheck", "uninitvar",
                    "missingIncludeSystem", "unknownMacro", "syntaxError", "preprocessorErrorDirective")
TIDY_CHECKS = "-*,clang-analyzer-*,-clang-analyzer-security.insecureAPI.*,-clang-analyzer-core.FixedAddressDereference"
TIDY_FOLDERS = ("boot/kernel_file.c", "boot/memory_map.c", "boot/smbios.c", "lib/")


def sources(top, *endings):
    """Files that git knows, or all of a tree without git."""
    done = subprocess.run(["git", "-C", top, "ls-files", "-z"], capture_output=True, check=False)
    if done.returncode == 0 and done.stdout:
        names = done.stdout.decode().split("\0")
    else:
        names = [os.path.relpath(os.path.join(folder, file), top) for folder, _, files in os.walk(top) for file in files]
    return sorted(name for name in names if name.endswith(endings) and os.path.exists(os.path.join(top, name)))


def include_flags(top):
    folders = sorted({os.path.dirname(os.path.dirname(name)) for name in sources(top, ".h") if "/include/" in name})
    return [f"-I{folder}" for folder in folders if folder.endswith("/include")] + ["-Ibuild/gen"]


def check_format(top):
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", "-ferror-limit=1", "--style=file",
                           *sources(top, ".c", ".h")], cwd=top, capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if "code should be clang-formatted" in line]
    return [f"{line.split(': ')[0]}: not formatted; tools/check.py --write formats it" for line in lines]


def check_includes(top):
    done = subprocess.run([sys.executable, os.path.join(TOOLS, "check_includes.py"), "."], cwd=top, capture_output=True,
                          text=True, check=False)
    return done.stdout.splitlines() or ([done.stderr] if done.returncode else [])


def run_cppcheck(top):
    folders = [folder for folder in ANALYSED if os.path.isdir(os.path.join(top, folder))]
    done = subprocess.run(["cppcheck", "-q", "--std=c11", "-j2", "--enable=warning,performance,portability",
                           "--inline-suppr", "--error-exitcode=1", "--template={file}:{line}: {message} [{id}]",
                           *[f"--suppress={name}" for name in CPPCHECK_IGNORED], *include_flags(top), *folders],
                          cwd=top, capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if line.endswith("]")]


def run_tidy(top, name):
    done = subprocess.run(["clang-tidy", "--quiet", "--warnings-as-errors=*", f"--checks={TIDY_CHECKS}", name, "--",
                           "-std=c11", "-ffreestanding", *include_flags(top)], cwd=top, capture_output=True, text=True,
                          check=False)
    return [os.path.relpath(line, top) if line.startswith("/") else line
            for line in done.stdout.splitlines() if ": error:" in line and "clang-diagnostic-error" not in line]


def check_static(top):
    names = [name for name in sources(top, ".c") if name.startswith(TIDY_FOLDERS)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        tidy = [line for lines in pool.map(lambda name: run_tidy(top, name), names) for line in lines]
    return run_cppcheck(top) + tidy


def current_abi(top):
    return subprocess.run([sys.executable, os.path.join(TOOLS, "abi_golden.py"), "--abi", os.path.join(top, "abi")],
                          check=True, capture_output=True, text=True).stdout


def check_abi(top):
    path = os.path.join(top, GOLDEN)
    golden = ""
    if os.path.exists(path):
        with open(path) as stream:
            golden = stream.read()
    lines = list(difflib.unified_diff(golden.splitlines(), current_abi(top).splitlines(), GOLDEN, "abi/", lineterm="", n=0))
    return lines + [f"the contract changed: if that is meant, renew {GOLDEN} with tools/check.py --write"] if lines else []


PARTS = {"format": check_format, "includes": check_includes, "static": check_static, "abi": check_abi}


def write(top):
    subprocess.run(["clang-format", "-i", "--style=file", *sources(top, ".c", ".h")], cwd=top, check=True)
    os.makedirs(os.path.dirname(os.path.join(top, GOLDEN)), exist_ok=True)
    with open(os.path.join(top, GOLDEN), "w") as stream:
        stream.write(current_abi(top))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--top", default=os.path.dirname(TOOLS))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("parts", nargs="*", metavar="PART")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if options.write:
        write(options.top)
        return
    failed = 0
    for part in options.parts or PARTS:
        faults = PARTS[part](options.top)
        print("\n".join(faults + [f"check {part}: {'failed' if faults else 'ok'}"]), flush=True)
        failed += bool(faults)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
