#!/usr/bin/python3
"""Every number, size and offset of the contract, as text: what tests/golden/abi.txt holds.

    abi_golden.py [--abi abi]       prints it

The names come from the compiler's view of the headers and from the lists of messages; a small C program made of them,
compiled and run here, prints the values.
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

CLANG = "clang"


def umbrella(abi):
    names = sorted(os.path.basename(path) for path in glob.glob(os.path.join(abi, "include/abi/*.h")))
    return "".join(f"#include <abi/{name}>\n" for name in names)


def syntax_tree(abi, source):
    done = subprocess.run([CLANG, "-std=c11", f"-I{abi}/include", "-fsyntax-only", "-Xclang", "-ast-dump=json", source],
                          check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def record_fields(node, prefix=""):
    """Names of all fields, those of unnamed inner structures included, as offsetof wants them."""
    inner_records = {}
    last_record = None
    for child in node.get("inner", []):
        if child["kind"] == "RecordDecl":
            last_record = child
            inner_records[child["id"]] = child
        elif child["kind"] == "FieldDecl":
            name = child.get("name")
            unnamed = "unnamed" in child["type"]["qualType"]
            if name:
                yield prefix + name
            if unnamed and last_record is not None and "[" not in child["type"]["qualType"]:
                yield from record_fields(last_record, f"{prefix}{name}." if name else prefix)


def collect(tree):
    """({struct name: [fields]}, [enum constants]) of everything declared in the contract."""
    structs, constants = {}, []
    for node in tree["inner"]:
        if node["kind"] == "RecordDecl" and node.get("completeDefinition") and node.get("name"):
            if not node["name"].startswith("__"):
                structs[node["name"]] = list(record_fields(node))
        elif node["kind"] == "EnumDecl":
            constants += [child["name"] for child in node.get("inner", []) if child["kind"] == "EnumConstantDecl"]
    return structs, constants


def macros(abi, source):
    """{name: text} of the contract's own object-like macros."""
    def defined(text):
        done = subprocess.run([CLANG, "-std=c11", f"-I{abi}/include", "-E", "-dM", "-x", "c", "-"], input=text, check=True,
                              capture_output=True, text=True)
        found = re.findall(r"^#define (\w+) (.+)$", done.stdout, re.M)
        return dict(found)
    with open(source) as stream:
        own = defined(stream.read())
    compilers = defined("#include <stdint.h>\n#include <stddef.h>\n#include <stdbool.h>\n#include <limits.h>\n")
    return {name: text for name, text in own.items() if name not in compilers and not name.startswith("_")}


def c_program(structs, constants, defines):
    lines = ["#include <stdio.h>"]
    body = []
    for name in sorted(defines):
        if defines[name].startswith('"'):
            body.append(f'printf("define {name} \\"%s\\"\\n", {name});')
        else:
            body.append(f'printf("define {name} %llu\\n", (unsigned long long)({name}));')
    for name in constants:
        body.append(f'printf("enum {name} %lld\\n", (long long){name});')
    for name in sorted(structs):
        body.append(f'printf("struct {name} size %zu\\n", sizeof(struct {name}));')
        for field in structs[name]:
            access = f"((struct {name} *)0)->{field}"
            body.append(f'printf("struct {name}.{field} at %zu size %zu\\n", offsetof(struct {name}, {field}), '
                        f"sizeof({access}));")
    return "\n".join(lines), "int main(void)\n{\n" + "\n".join(body) + "\nreturn 0;\n}\n"


def messages(abi):
    """The services' operations, a line each, as numbers go over the wire."""
    for path in sorted(glob.glob(os.path.join(abi, "idl/*.msg"))):
        service, base, operation = "", 0, None
        with open(path) as stream:
            for line in stream:
                words = line.split('"')[0].split("#")[0].split()
                if not words:
                    continue
                if words[0] == "service":
                    service, base = words[1], int(words[2], 0)
                    yield f"service {service} {base:#06x} {' '.join(words[3:])}".rstrip()
                elif words[0] == "op":
                    operation = f"{service}.{words[1]}"
                    yield f"op {operation} {base + int(words[2], 0):#06x}"
                elif words[0] in ("in", "out", "lend", "fail") and operation:
                    yield f"op {operation} {' '.join(words)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--abi", default="abi")
    abi = parser.parse_args().abi
    with tempfile.TemporaryDirectory(prefix="shoal-abi") as folder:
        source, program = os.path.join(folder, "all.c"), os.path.join(folder, "print")
        with open(source, "w") as stream:
            stream.write(umbrella(abi))
        structs, constants = collect(syntax_tree(abi, source))
        head, body = c_program(structs, constants, macros(abi, source))
        with open(source + ".print.c", "w") as stream:
            stream.write(umbrella(abi) + head + "\n" + body)
        subprocess.run([CLANG, "-std=c11", f"-I{abi}/include", source + ".print.c", "-o", program], check=True)
        sys.stdout.write(subprocess.run([program], check=True, capture_output=True, text=True).stdout)
    for line in messages(abi):
        print(line)


if __name__ == "__main__":
    main()
