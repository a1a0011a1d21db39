# SPDX-License-Identifier: Apache-2.0
"""declarations.py HEADER-FOLDER: a C program that defines every declared function, without sense."""

import re
import sys

import public_api


def main():
    print("#include <mpc/mpc.h>")
    for text in public_api.read_headers(sys.argv[1:]).values():
        plain = public_api.without_directives(text)
        for declaration in re.findall(r"\bMPC_API\b([^;]*);", plain):
            print(declaration.replace("MPC_NODISCARD", "").strip(), "{ __builtin_trap(); }")


main()
