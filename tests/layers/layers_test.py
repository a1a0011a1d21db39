# SPDX-License-Identifier: Apache-2.0
"""layers_test.py SOURCE-FOLDER | --self-test

A file includes only from its own layer and from those below it; what the library stands on is known
in one file each; processes are forked in the launchers alone.
"""

import pathlib
import re
import sys
import tempfile

# Each layer may include from itself, from these, and from what these may include.
BELOW = {
    "base": [],
    "os": ["base"],
    "group": ["os"],
    "process": ["group"],
    "sync": ["process"],
    "shared": ["sync"],
    "channel": ["shared"],
    "pool": ["channel"],
    "manager": ["pool"],
    "capi": ["manager"],
}

# An included name, or a call, and the only files in which it may be.
ONLY_IN = [
    (re.compile(r"#\s*include\s*[<\"](?:spdlog|fmt)/"), re.compile(r"src/base/log\.cpp")),
    (re.compile(r"#\s*include\s*[<\"]uv\.h"), re.compile(r"src/os/loop\.cpp")),
    (
        re.compile(r"\b(?<!at)v?fork\s*\("),
        re.compile(r"src/process/(?:launch_\w+|supervisor)\.cpp"),
    ),
]

INCLUDE = re.compile(r"^\s*#\s*include\s*\"([^\"]+)\"", flags=re.M)


def allowed(layer):
    found = {layer}
    for lower in BELOW[layer]:
        found |= allowed(lower)
    return found


def layer_of(path):
    parts = pathlib.PurePosixPath(path).parts
    return parts[0] if parts[0] == "capi" else parts[1]


def code_of(text):
    """The text with comments and the contents of strings taken out; include lines stay."""
    pattern = r'(^[ \t]*#[ \t]*include[^\n]*)|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"'
    return re.sub(pattern, lambda match: match.group(1) or " ", text, flags=re.S | re.M)


def findings(root):
    root = pathlib.Path(root)
    found = []
    files = [
        path.relative_to(root).as_posix()
        for folder in ("src", "capi")
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in (".cpp", ".hpp", ".h", ".c", ".def")
    ]
    for name in files:
        layer = layer_of(name)
        if layer not in BELOW:
            found.append(f"{name}: {layer} is no layer")
            continue
        code = code_of((root / name).read_text())
        for included in INCLUDE.findall(code):
            home = (root / name).parent
            candidates = [root / "src" / included, root / "capi" / included, home / included]
            target = next((path for path in candidates if path.exists()), None)
            if target is None:
                found.append(f"{name}: {included} is not in src or capi")
                continue
            other = layer_of(target.resolve().relative_to(root.resolve()).as_posix())
            if other not in allowed(layer):
                found.append(f"{name}: {layer} includes {included}, which is above it")
        for pattern, home in ONLY_IN:
            if pattern.search(code) and not home.fullmatch(name):
                found.append(f"{name}: {pattern.search(code).group(0).strip()} has no place here")
    return found, len(files)


def self_test():
    cases = {
        "src/os/up.cpp": '#include "group/low.hpp"\n',
        "src/group/low.hpp": "\n",
        "src/shared/side.cpp": '#include "channel/queue.hpp"\n',
        "src/channel/queue.hpp": "\n",
        "src/pool/uses_manager.cpp": '#include "manager/server.hpp"\n',
        "src/manager/server.hpp": "\n",
        "src/base/other.cpp": "#include <spdlog/spdlog.h>\n",
        "src/os/timer.cpp": "#include <uv.h>\n",
        "src/process/child.cpp": "int start() { return fork(); }\n",
        "src/pool/worker.cpp": "int start() { return vfork (); }\n",
        "capi/missing.cpp": '#include "nowhere.hpp"\n',
        "src/extra/file.cpp": "\n",
    }
    fine = {
        "src/channel/uses_sync.cpp": '#include "sync/lock.hpp"\n#include "shared/value.hpp"\n',
        "src/sync/lock.hpp": "\n",
        "src/shared/value.hpp": '#include "sync/lock.hpp"\n',
        "src/base/log.cpp": "#include <spdlog/spdlog.h>\n",
        "src/process/launch_fork.cpp": "int start() { return fork(); }\n",
        "src/group/mentions.cpp": '// fork() in a comment\nconst char* t = "fork()";\n',
        "src/process/handlers.cpp": "int f() { return pthread_atfork(0, 0, 0); }\n",
        "capi/pool.cpp": '#include "manager/server.hpp"\n#include "boundary.hpp"\n',
        "capi/boundary.hpp": "\n",
    }
    wrong = {name for name, text in cases.items() if text.strip()} | {"src/extra/file.cpp"}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**cases, **fine}.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        caught = {line.split(":")[0] for line in findings(folder)[0]}
    for name in sorted(wrong ^ caught):
        print(f"{name}: {'not caught' if name in wrong else 'caught for nothing'}", file=sys.stderr)
    return 1 if wrong != caught else 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    found, count = findings(sys.argv[1])
    for line in found:
        print(line, file=sys.stderr)
    print(f"{count} files, {len(found)} findings")
    return 1 if found or count == 0 else 0


sys.exit(main())
