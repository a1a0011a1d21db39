# SPDX-License-Identifier: Apache-2.0
"""shipped_test.py READELF LIBRARY SONAME [ALSO-NEEDED...]

What a program gets with the library's file: libc alone is needed, the name in it is the agreed one,
and it is hardened.
"""

import re
import subprocess
import sys

failures = []


def check(ok, text):
    if not ok:
        failures.append(text)


def main():
    readelf, library, soname, *also_needed = sys.argv[1:]

    def read(option):
        return subprocess.run(
            [readelf, "-W", option, library], check=True, capture_output=True, text=True
        ).stdout

    dynamic = read("-d")
    needed = set(re.findall(r"\(NEEDED\).*\[(.+?)\]", dynamic))
    # The loader is a part of libc that thread-local storage names by itself.
    expected = re.compile(r"libc\.so\.6|ld-linux.*\.so\.\d+")
    surplus = {name for name in needed if not expected.fullmatch(name)} - set(also_needed)
    check("libc.so.6" in needed, f"libc is not needed: {needed}")
    check(not surplus, f"needed besides libc: {', '.join(sorted(surplus))}")
    check(f"[{soname}]" in dynamic, f"the SONAME is not {soname}")
    for flag in ("NODELETE",):
        check(re.search(rf"\(FLAGS_1\).*\b{flag}\b", dynamic), f"not linked with {flag}")
    for tag in ("TEXTREL", "RPATH", "RUNPATH"):
        check(f"({tag})" not in dynamic, f"has a {tag}")

    segments = read("-l")
    check("GNU_RELRO" in segments, "relocations stay writable")
    check(re.search(r"GNU_STACK.*\bRW\b", segments), "the stack is executable")
    check(not re.search(r"LOAD.*\bRWE\b", segments), "a segment is writable and executable")

    symbols = read("--dyn-syms")
    check(" UNIQUE " not in symbols, "a symbol is unique in the whole process")

    for text in failures:
        print(text, file=sys.stderr)
    return 1 if failures else 0


sys.exit(main())
