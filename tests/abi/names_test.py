# SPDX-License-Identifier: Apache-2.0
"""names_test.py --map FILE --clash FILE [--nm NM --library FILE] HEADER-FOLDER...

What the library exports, what its map lists and what its headers declare is one set of names, and
none of them belongs to another library of that name.
"""

import argparse
import pathlib
import re
import subprocess
import sys

import public_api

failures = []


def check(ok, text):
    if not ok:
        failures.append(text)


def same(one, other, what):
    check(not one - other, f"{what[0]}, but not {what[1]}: {', '.join(sorted(one - other))}")
    check(not other - one, f"{what[1]}, but not {what[0]}: {', '.join(sorted(other - one))}")


class Clashes:
    def __init__(self, path):
        lines = pathlib.Path(path).read_text().splitlines()
        names = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        self.prefixes = tuple(name[:-1] for name in names if name.endswith("*"))
        self.names = {name for name in names if not name.endswith("*")}

    def has(self, name):
        return name in self.names or name.startswith(self.prefixes)


def map_names(path):
    text = public_api.without_comments(pathlib.Path(path).read_text())
    body = re.search(r"global:(.*?)local:\s*\*;", text, flags=re.S).group(1)
    return {name.strip() for name in body.split(";") if name.strip()}


def exported_names(nm, library):
    output = subprocess.run(
        [nm, "-D", "--defined-only", library], check=True, capture_output=True, text=True
    ).stdout
    names = set()
    for line in output.splitlines():
        kind, name = line.split()[-2:]
        # An absolute symbol is the name of the map's version node.
        if kind != "A":
            names.add(name.split("@")[0])
    return names


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--map", required=True)
    parser.add_argument("--clash", required=True)
    parser.add_argument("--nm", default="nm")
    parser.add_argument("--library")
    parser.add_argument("folders", nargs="+")
    options = parser.parse_args()

    clashes = Clashes(options.clash)
    check(len(clashes.names) > 200, "the list of clashing names is incomplete")
    mapped = map_names(options.map)
    check(not {name for name in mapped if "*" in name}, "the map lists a pattern")

    declared, others = set(), set()
    for name, text in public_api.read_headers(options.folders).items():
        declared |= public_api.functions(text)
        others |= public_api.type_names(text)
        for constants in public_api.enums(text).values():
            others |= set(constants)
        others |= set(public_api.macros(text))
        check(f"mpc/{name}" not in clashes.names, f"header mpc/{name} clashes")
    check(declared, "no function was found in the headers")
    same(declared, mapped, ("in the headers", "in the map"))

    if options.library:
        exported = exported_names(options.nm, options.library)
        same(exported, mapped, ("exported", "in the map"))
        declared |= exported

    for name in sorted(declared):
        check(name.startswith("mpc_"), f"{name} does not begin with mpc_")
    for name in sorted(others):
        check(
            name.startswith(("mpc_", "MPC_", "LIBMPC_")), f"{name} has no prefix of the library's"
        )
    for name in sorted(declared | others):
        check(not clashes.has(name), f"{name} is a name of another libmpc")

    for text in failures:
        print(text, file=sys.stderr)
    print(f"{len(declared)} functions, {len(others)} other names, {len(failures)} failures")
    return 1 if failures else 0


sys.exit(main())
