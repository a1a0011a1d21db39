# SPDX-License-Identifier: Apache-2.0
"""readme_test.py CHECK SOURCE-FOLDER [BUILD-FOLDER]

Checks that what the README says is so. With a build folder: its programs are compiled against an
installed library and print what is shown, and its commands run as they stand. Without: it names
only what exists, and its table of rows fits the names of the tests.
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

# The two commands are the build that runs this test, and the benchmarks take long.
NOT_RUN_HERE = re.compile(r"sh cmake/(?:demo|test)\.sh|python3 tests/readme/numbers\.py build")
PATIENCE = 240


class Wrong(Exception):
    pass


def require(holds, what):
    if not holds:
        raise Wrong(what)


class Readme:
    def __init__(self, text):
        self.text = text
        self.blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.S | re.M)
        # What is said outside of blocks.
        self.prose = re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)
        self.spans = re.findall(r"`([^`\n]+)`", self.prose)

    def of(self, language):
        return [body for kind, body in self.blocks if kind == language]

    def with_output(self, language):
        """Blocks of the language, each with the block of text that follows it."""
        found = []
        for (kind, body), (next_kind, output) in zip(self.blocks, self.blocks[1:]):
            if kind == language:
                require(next_kind == "text", f"no output is shown for this:\n{body}")
                found.append((body, output))
        require(len(found) == len(self.of(language)), f"the last {language} shows no output")
        require(found, f"the README has no {language}")
        return found

    def command_lines(self):
        return [line for body in self.of("sh") for line in body.splitlines()]


# --- what it names --------------------------------------------------------------------------------


def programs_are_the_examples(readme, source):
    for language, file in (("c", "pool_squares.c"), ("python", "pool_map.py")):
        blocks = readme.of(language)
        require(len(blocks) == 1, f"{len(blocks)} blocks of {language}, not 1")
        example = (source / "examples" / file).read_text()
        require(blocks[0] == example, f"the {language} program is not examples/{file}")
    lines = readme.of("c")[0].count("\n")
    require(lines <= 25, f"the program has {lines} lines")
    require(readme.blocks[0][0] == "c", "the program does not come first")


def the_two_commands_exist(readme, source):
    ci = (source / ".ci" / "run").read_text()
    for script in ("cmake/demo.sh", "cmake/test.sh"):
        require(f"sh {script}" in readme.command_lines(), f"sh {script} is not shown")
        subprocess.run(["sh", "-n", source / script], check=True)
        call = rf'sh "\$root/{re.escape(script)}"'
        require(re.search(call, ci), f".ci/run does not run {script}")


def paths_exist(readme, source):
    top = {path.name for path in source.iterdir()}
    found = 0
    # A command's words are looked at one by one.
    words = [word for span in readme.spans for word in span.split()]
    words += [word for line in readme.command_lines() for word in line.split()]
    words += re.findall(r"\]\(([^)#\s]+)\)", readme.prose)
    for word in words:
        if re.match(r"https?:", word):
            continue
        first = word.split("/")[0]
        linked = f"]({word})" in readme.prose
        if linked or ("/" in word and first in top and first != "build"):
            found += 1
            require((source / word).exists(), f"{word} does not exist")
    require(found >= 15, f"only {found} paths were found")
    headings = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", readme.prose, flags=re.M)
    }
    for anchor in re.findall(r"\]\(#([^)]+)\)", readme.prose):
        require(anchor in headings, f"there is no heading for #{anchor}")


def headers_of(source):
    return "\n".join(path.read_text() for path in sorted((source / "include/mpc").glob("*.h*")))


def cmake_of(source):
    files = [source / "CMakeLists.txt", *source.glob("cmake/*")]
    for folder in ("src", "examples", "tests"):
        files += source.glob(f"{folder}/**/CMakeLists.txt")
    return "\n".join(path.read_text() for path in files)


def names_exist(readme, source):
    declared = set(re.findall(r"\b(?:mpc|MPC)_\w+", headers_of(source)))
    options = set(re.findall(r"(?:option|set)\((MPC_\w+)", cmake_of(source)))
    # The Python program names its own things as well; what it takes from the library has a dot.
    for name in sorted(set(re.findall(r"\b(?:mpc|MPC)_[A-Za-z]\w*", readme.text))):
        require(name in declared | options, f"{name} is neither declared nor an option")
    headers = {"version.h"} | {path.name for path in (source / "include/mpc").glob("*.h")}
    for name in re.findall(r"<mpc/(\w+\.h)>", readme.text):
        require(name in headers, f"there is no header <mpc/{name}>")


def options_are_told(readme, source):
    top = (source / "CMakeLists.txt").read_text()
    declared = set(re.findall(r"option\((MPC_\w+)", top))
    declared |= set(re.findall(r"set\((MPC_\w+)[^)]*\bCACHE\b", top))
    require(declared, "no option was found")
    section = readme.text.split("\n## Build options\n")[1].split("\n## ")[0]
    told = set(re.findall(r"`(MPC_\w+)`", section))
    require(told == declared, f"options told and there: {sorted(told)}, {sorted(declared)}")


# --- the table of rows ----------------------------------------------------------------------------


def rows_of(readme):
    rows = {}
    for line in re.findall(r"^\| [A-Z]\d\d .*$", readme.prose, flags=re.M):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        require(len(cells) == 5, f"this row has {len(cells)} cells: {line}")
        require(cells[0] not in rows, f"{cells[0]} has two rows")
        require(all(cells), f"a cell of {cells[0]} is empty")
        rows[cells[0]] = cells[1:]
    require(rows, "there is no table of rows")
    return rows


def ids_in_tests(source):
    """The ids that names of tests begin with -> the names."""
    ids = {}
    for path in sorted((source / "tests").glob("**/*")):
        if path.suffix == ".cpp":
            names = re.findall(r"\bTEST(?:_[FP])?\(\s*\w+,\s*(\w+)\s*\)", path.read_text())
        elif path.name == "CMakeLists.txt":
            names = re.findall(r"add_test\(\s*NAME\s+\w+\.(\w+)", path.read_text())
        else:
            continue
        for name in names:
            leading = re.match(r"(?:[B-Z]\d\d(?![a-z\d]))*", name)[0]
            for row in re.findall(r"[B-Z]\d\d", leading):
                ids.setdefault(row, []).append(name)
    return ids


def rows_have_tests(readme, source):
    rows, tested = rows_of(readme), ids_in_tests(source)
    for row, (_, c_names, _, mark) in rows.items():
        if re.match(r"not provided, because \w+", mark):
            require(row not in tested, f"{row} has tests, but is not provided")
            continue
        require(re.fullmatch(r"yes(;.+)?", mark), f"{row} is marked: {mark}")
        require(row in tested, f"{row} is provided, but no test is named after it")
        require("`" in c_names, f"{row} has no name in C")
    missing = sorted(set(tested) - set(rows))
    require(not missing, f"tests are named after rows that are not in the table: {missing}")
    order = ["MPCQSLFVGR".index(row[0]) * 100 + int(row[1:]) for row in rows]
    require(order == sorted(order), "the rows are not in order")
    print(f"{len(rows)} rows, {sum(map(len, tested.values()))} tests named after them")


STATIC = {
    "programs": programs_are_the_examples,
    "commands_exist": the_two_commands_exist,
    "paths": paths_exist,
    "names": names_exist,
    "options": options_are_told,
    "rows": rows_have_tests,
}


def checks_find_what_is_wrong(readme, source):
    """Each check fails for a README with a fault of its kind."""
    text = readme.text

    def changed(old, new):
        require(old in text, f"nothing to plant a fault in: {old}")
        return text.replace(old, new, 1)

    row = re.search(r"^\| P04 .*\n", text, flags=re.M)[0]
    faults = [
        ("programs", changed("int main(void)", "int  main(void)")),
        ("programs", changed("def square(item, result)", "def square(result, item)")),
        ("commands_exist", changed("sh cmake/test.sh\n", "")),
        ("paths", changed("`src/group/layout.hpp`", "`src/group/plan.hpp`")),
        ("paths", changed("](LICENSE)", "](LICENCE)")),
        ("names", changed("`mpc_process_join`", "`mpc_process_wait`")),
        ("names", changed("`MPC_EEXHAUSTED`", "`MPC_EFULL`")),
        ("options", changed("`MPC_DEVELOPER`", "`MPC_OUTPUT_NAME`")),
        ("rows", changed(row, "")),
        ("rows", changed(row, row + row)),
        ("rows", changed(row, row + row.replace("P04", "C99"))),
        ("rows", changed(row, re.sub(r"\| [^|]* \|$", "| partly |", row.strip()) + "\n")),
        ("rows", changed(row, re.sub(r"\| [^|]* \|$", "|  |", row.strip()) + "\n")),
    ]
    for name, check in STATIC.items():
        check(readme, source)
        require(name in [kind for kind, _ in faults], f"no fault is planted for {name}")
    for kind, faulty in faults:
        try:
            STATIC[kind](Readme(faulty), source)
        except Wrong:
            continue
        raise Wrong(f"a fault was not found by the check of {kind}")


# --- what it runs ---------------------------------------------------------------------------------


def run(command, **options):
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        **options,
    )
    require(done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def surroundings(prefix):
    return {
        **os.environ,
        "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig"),
        "LD_LIBRARY_PATH": str(prefix / "lib"),
    }


def install(build, scratch):
    prefix = scratch / "prefix"
    run(["cmake", "--install", build, "--prefix", prefix])
    if not (prefix / "lib/pkgconfig").exists():
        print("the build installs to another library folder than lib")
        sys.exit(77)
    return prefix


def programs_print_what_is_shown(readme, source, build, scratch):
    prefix = install(build, scratch)
    env = surroundings(prefix)
    flags = run(["pkg-config", "--cflags", "--libs", "mpc"], env=env)
    flags = shlex.split(flags)
    strict = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]
    for body, output in readme.with_output("c"):
        (scratch / "program.c").write_text(body)
        compiler = os.environ.get("CC", "cc")
        run([compiler, *strict, "-o", scratch / "program", scratch / "program.c", *flags], env=env)
        printed = run([scratch / "program"], env=env)
        require(printed == output, f"the program printed:\n{printed}")
    for body, output in readme.with_output("python"):
        (scratch / "program.py").write_text(body)
        printed = run([sys.executable, "-B", scratch / "program.py"], env=env)
        require(printed == output, f"the Python program printed:\n{printed}")


def python_examples_run(readme, source, build, scratch):
    env = surroundings(install(build, scratch))
    squares = " ".join(str(n * n) for n in range(10))
    outputs = {
        "pool_map.py": f"{squares}\n",
        "ffi_process.py": "greeter: hello, Ada\njoined, exit code 7\n",
        "ffi_block.py": f"the child ended with 0\nit wrote: {squares}\n",
        "ffi_join.py": "the one who joined reads: hello, whoever joins\n"
        "the one who listens reads: hello, whoever listens\n",
    }
    examples = {path.name for path in (source / "examples").glob("*.py")}
    require(examples == set(outputs), f"the Python examples are {sorted(examples)}")
    for name, output in outputs.items():
        printed = run([sys.executable, "-B", source / "examples" / name], env=env)
        require(printed == output, f"{name} printed:\n{printed}")


def commands_run(readme, source, build, scratch):
    """In one shell and one folder: the build is there as `build`, as the two commands leave it."""
    install(build, scratch)
    folder = scratch / "tree"
    folder.mkdir()
    (folder / "build").symlink_to(build)
    (folder / "hello.c").write_text(readme.of("c")[0])
    (folder / "CMakeLists.txt").write_text(readme.of("cmake")[0])
    lines = [line for line in readme.command_lines() if not NOT_RUN_HERE.fullmatch(line)]
    script = "set -eu\nunset PKG_CONFIG_PATH LD_LIBRARY_PATH\n" + "\n".join(lines) + "\n"
    # The commands of the README choose no compiler; this machine's other settings stay out as well.
    env = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    printed = run(["sh", "-c", script], cwd=folder, env={**env, "HOME": str(scratch)})
    programs = [line for line in lines if line.startswith("./")]
    output = readme.with_output("c")[0][1]
    require(len(programs) >= 2, "the README runs fewer than two programs")
    require(printed.count(output) == len(programs), f"the commands printed:\n{printed}")
    print(f"{len(lines)} commands, {len(programs)} programs")


def numbers_are_made_by_the_command(readme, source, build, scratch):
    command = "python3 tests/readme/numbers.py build"
    require(command in readme.command_lines(), f"{command} is not shown")
    copy = scratch / "README.md"
    shutil.copy(source / "README.md", copy)
    (scratch / "tests").symlink_to(source / "tests")
    (scratch / "build").symlink_to(build)
    run(["sh", "-c", f"{command} --short --write README.md"], cwd=scratch)
    short = re.search(r"<!-- numbers -->\n(.*)<!-- /numbers -->", copy.read_text(), flags=re.S)[1]
    shown = re.search(r"<!-- numbers -->\n(.*)<!-- /numbers -->", readme.text, flags=re.S)[1]

    def names(text):
        """What is measured, whatever the machine, however often and of how many."""
        cells = re.findall(r"^\| ([^|]+) \|", text, flags=re.M)
        return list(dict.fromkeys(re.sub(r"\d[\d,]*", "N", cell).strip() for cell in cells))

    require(names(shown), "the README shows no figures")
    same = names(short) == names(shown)
    require(same, f"measured and shown: {names(short)}, {names(shown)}")


RUNNING = {
    "output": programs_print_what_is_shown,
    "python": python_examples_run,
    "commands": commands_run,
    "numbers": numbers_are_made_by_the_command,
}


def main():
    name, source = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    readme = Readme((source / "README.md").read_text())
    try:
        if name in STATIC:
            STATIC[name](readme, source)
        elif name == "self":
            checks_find_what_is_wrong(readme, source)
        else:
            build = pathlib.Path(sys.argv[3]).resolve()
            # Not below the build folder, which may have a space in its path: $(pkg-config ...) as
            # the README has it does not survive that.
            with tempfile.TemporaryDirectory(prefix="readme-") as scratch:
                RUNNING[name](readme, source, build, pathlib.Path(scratch).resolve())
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
