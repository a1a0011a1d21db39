# SPDX-License-Identifier: Apache-2.0
"""pinned_test.py LAYOUT-TEST MACRO-TEST HEADER-FOLDER...

Nothing public is missing from the two C programs that pin layouts and use macros.
"""

import pathlib
import re
import sys

import public_api


def main():
    layout = pathlib.Path(sys.argv[1]).read_text()
    uses = public_api.without_comments(pathlib.Path(sys.argv[2]).read_text())
    values = set(re.findall(r"\bVALUE\((\w+),", layout))
    sizes = set(re.findall(r"\bSIZE\((\w+),", layout))
    fields = set(re.findall(r"\bFIELD\((\w+), (\w+),", layout))
    used = set(re.findall(r"\b\w+\b", uses))

    missing = []
    wanted = 0
    for header, text in public_api.read_headers(sys.argv[3:]).items():
        for constants in public_api.enums(text).values():
            wanted += len(constants)
            missing += [f"{header}: value of {name}" for name in constants if name not in values]
        for struct, members in public_api.structs(text).items():
            wanted += 1 + len(members)
            if struct not in sizes:
                missing.append(f"{header}: size of {struct}")
            missing += [
                f"{header}: offset of {struct}.{member}"
                for member in members
                if (struct, member) not in fields
            ]
            if struct.endswith("_options"):
                macro = f"{struct.upper()}_INIT"
                if macro not in public_api.macros(text):
                    missing.append(f"{header}: a macro {macro}")
        for name, (_, body) in public_api.macros(text).items():
            is_include_guard = name == f"LIBMPC_{header.upper().replace('.', '_')}"
            if is_include_guard:
                continue
            wanted += 1
            if name not in used:
                missing.append(f"{header}: use of macro {name}")

    for text in missing:
        print(f"not pinned: {text}", file=sys.stderr)
    print(f"{wanted} public things, {len(missing)} not pinned")
    return 1 if missing or wanted == 0 else 0


sys.exit(main())
