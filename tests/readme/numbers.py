# SPDX-License-Identifier: Apache-2.0
"""numbers.py BUILD-FOLDER [--short] [--write README]

Runs the benchmarks of a build and prints their rows as the tables of the README, under the
description of the machine; with --write it puts them there. The figures of a machine that does
something else at the same time mean little, and those of --short nothing.
"""

import argparse
import pathlib
import re
import subprocess
import sys

PROGRAMS = [
    "tests/bench/process/bench_fork_start",
    "tests/bench/process/bench_method_start",
    "tests/bench/process/bench_many_children",
    "tests/bench/pool/bench_map_small",
    "tests/bench/pool/bench_wordcount_speedup",
    "tests/bench/load/bench_load",
]
# Prints rows alone, and takes a number rather than --short.
KILLS = "tests/kill/how_soon"
BEGIN, END = "<!-- numbers -->", "<!-- /numbers -->"


def output_of(build, program, *arguments):
    path = pathlib.Path(build, program)
    if not path.exists():
        raise SystemExit(f"{program} is not built in {build}; sh cmake/test.sh builds it")
    # A benchmark looks for nothing on standard input, and a closed one would be another's number.
    run = subprocess.run(
        [path, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    if run.returncode != 0:
        raise SystemExit(f"{program} failed: {run.returncode}")
    return run.stdout.splitlines()


def table(title, rows):
    lines = [f"| {title} | figure | bar | verdict |", "|---|---|---|---|"]
    for row in rows:
        cells = [" ".join(cell.split()) for cell in row.split(" | ")]
        if len(cells) != 4:
            raise SystemExit(f"this is no row of a benchmark: {row}")
        lines.append("".join(f"| {cell} " if cell != "-" else "| " for cell in cells) + "|")
    return lines


def tables(build, short):
    lines = []
    for program in PROGRAMS:
        said = output_of(build, program, *(["--short"] if short else []))
        # First its title, the machine and the number of rounds; then what is measured, then rows.
        machine = next(i for i, line in enumerate(said) if " rounds in shuffled order" in line) + 1
        rows = [line for line in said[machine:] if " | " in line]
        about = [line for line in said[machine:] if " | " not in line]
        if not lines:
            lines += ["```text", *said[1:machine], "```"]
        lines += ["", *table(said[0], rows)]
        if about:
            lines += ["", *about]
    rows = output_of(build, KILLS, "--kills", "50" if short else "1000")
    return lines + ["", *table("How soon a death is told", rows)]


def written(text, lines):
    found = re.search(f"{re.escape(BEGIN)}.*?{re.escape(END)}", text, flags=re.S)
    if not found:
        raise SystemExit(f"there is no {BEGIN} ... {END}")
    block = "\n".join([BEGIN, "", *lines, "", END])
    return text[: found.start()] + block + text[found.end() :]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[2])
    parser.add_argument("build")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--write", type=pathlib.Path)
    arguments = parser.parse_args()
    lines = tables(arguments.build, arguments.short)
    if arguments.write:
        arguments.write.write_text(written(arguments.write.read_text(), lines))
    else:
        print("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
