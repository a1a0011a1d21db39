# SPDX-License-Identifier: Apache-2.0
"""Reads the public headers: which functions, types, constants and macros they declare."""

import pathlib
import re


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def read_headers(folders):
    """The text of each public header by its name, comments taken out."""
    headers = {}
    for folder in folders:
        for path in sorted(pathlib.Path(folder).glob("*.h")):
            headers[path.name] = without_comments(path.read_text())
    return headers


def macros(text):
    return {
        name: (parameters != "", body.replace("\\\n", " ").strip())
        for name, parameters, body in re.findall(
            r"^[ \t]*#[ \t]*define[ \t]+(\w+)(\([^)]*\))?((?:\\\n|[^\n])*)", text, flags=re.M
        )
    }


def without_directives(text):
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", "", text, flags=re.M)


def functions(text):
    declarations = re.findall(r"\bMPC_API\b([^;]*);", without_directives(text))
    return {re.search(r"(\w+)\s*\(", declaration).group(1) for declaration in declarations}


def enums(text):
    """Name of each enum -> {constant: value as written}."""
    found = {}
    for body, name in re.findall(
        r"\btypedef\s+enum\s+\w+\s*\{([^}]*)\}\s*(\w+)\s*;", without_directives(text)
    ):
        constants = [part.split("=") for part in body.split(",") if part.strip()]
        found[name] = {part[0].strip(): part[1].strip() for part in constants}
    return found


def structs(text):
    """Name of each struct that is not opaque -> its fields in order."""
    found = {}
    for body, name in re.findall(
        r"\btypedef\s+struct\s+\w+\s*\{([^}]*)\}\s*(\w+)\s*;", without_directives(text)
    ):
        declarations = [part.strip() for part in body.split(";") if part.strip()]
        found[name] = [re.search(r"(\w+)\s*$", part).group(1) for part in declarations]
    return found


def type_names(text):
    """Every name that a typedef or a tag introduces."""
    plain = without_directives(text)
    names = set(re.findall(r"\b(?:struct|enum|union)\s+(\w+)", plain))
    names |= set(re.findall(r"\(\s*\*\s*(\w+)\s*\)\s*\(", plain))
    names |= set(re.findall(r"\}\s*(\w+)\s*;", plain))
    names |= set(re.findall(r"\btypedef\s+(?:struct|enum|union)?\s*\w+\s+(\w+)\s*;", plain))
    return names
