#!/usr/bin/env python3
"""Holds session-runtime/src against docs/architecture.md: who imports whom.

The table under "Who may import whom" has a row per top-level module: its name,
and the modules that it may import. The list under "Circles" has the groups of
modules that import each other, with the reason. This fails

- for each path to a module that the row does not name, with file and line,
- for a module without a row, and a row or an arrow without a module,
- for a circle that the list does not name, and one that is there no more.

Tests inside of the crate may use whatever they like, and so may what a macro
writes into a user's program (`$crate::`).

Usage: tests/tools/arrows.py [--graph]
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "session-runtime" / "src"
MAP = ROOT / "docs" / "architecture.md"

NAME = re.compile(r"`([a-z_][a-z0-9_]*)`")
IDENT = re.compile(r"[A-Za-z_]\w*")
# `crate::`, or `super::` any number of times; not `$crate::`, and not `self::super`.
PATH = re.compile(r"(?<![\w$:])(crate::|(?:super::)+)")


def is_test(path):
    return path.name == "tests.rs" or "tests" in path.relative_to(SOURCE).parts[:-1]


def module_of(path):
    """The path of the file's module below the crate, as a list."""
    parts = list(path.relative_to(SOURCE).with_suffix("").parts)
    if parts[-1] == "mod":
        parts.pop()
    return parts


def code_of(path):
    """The text without comments and without the tests at its end."""
    text = path.read_text()
    text = re.sub(r"(?<![:\"])//[^\n]*", "", text)
    tests = re.search(r"#\[cfg\(test\)\]\s*mod \w+ \{", text)
    return text[: tests.start()] if tests else text


def first_names(text, at):
    """The first names of the path, or of each path in the group, at `at`."""
    if not text.startswith("{", at):
        name = IDENT.match(text, at)
        return [(name.group(), at)] if name else []
    names, depth, begins = [], 0, False
    for here in range(at, len(text)):
        letter = text[here]
        if letter == "{":
            depth, begins = depth + 1, depth == 0
        elif letter == "}":
            depth -= 1
            if depth == 0:
                break
        elif letter == "," and depth == 1:
            begins = True
        elif begins and not letter.isspace():
            name = IDENT.match(text, here)
            if name:
                names.append((name.group(), here))
            begins = False
    return names


def re_exports(modules):
    """What stands at the root of the crate → the module that it is from."""
    text = code_of(SOURCE / "lib.rs")
    found = {"Session": "schema"}
    for use in re.finditer(r"pub use (\w+)(?:::\w+)*::(\{[^}]*\}|\w+);", text):
        if use.group(1) in modules:
            for name in IDENT.findall(use.group(2)):
                found[name] = use.group(1)
    for path in SOURCE.rglob("*.rs"):
        for macro in re.finditer(r"#\[macro_export\]\s*macro_rules! (\w+)", code_of(path)):
            found[macro.group(1)] = module_of(path)[0]
    return found


def imports():
    """(from, to, file, line) of every path that leaves a top-level module."""
    files = [p for p in sorted(SOURCE.rglob("*.rs")) if p.name != "lib.rs" and not is_test(p)]
    modules = {module_of(path)[0] for path in files}
    root = re_exports(modules)
    found = []
    for path in files:
        module, text = module_of(path), code_of(path)
        # Comments keep their lines, so positions still tell the line.
        for match in PATH.finditer(text):
            if match.group().startswith("super") and match.group().count("super") < len(module):
                continue
            for name, at in first_names(text, match.end()):
                to = name if name in modules else root.get(name)
                line = text.count("\n", 0, at) + 1
                found.append((module[0], to or f"crate::{name}", path.relative_to(ROOT), line))
    return modules, [it for it in found if it[0] != it[1]]


def section(title):
    text = MAP.read_text()
    start = re.search(rf"^##+ {re.escape(title)}$", text, re.M)
    if not start:
        sys.exit(f"{MAP.relative_to(ROOT)}: there is no section \"{title}\"")
    end = re.search(r"^##+ ", text[start.end() :], re.M)
    return text[start.end() :][: end.start() if end else None]


def table():
    allowed = {}
    for row in section("Who may import whom").splitlines():
        cells = [cell.strip() for cell in row.strip().strip("|").split("|")]
        if row.startswith("| `") and len(cells) == 3:
            for module in NAME.findall(cells[0]):
                allowed[module] = set(NAME.findall(cells[1]))
    return allowed


def circles():
    rows = re.findall(r"^\* ([^:]*):", section("Circles"), re.M)
    return {frozenset(NAME.findall(row)) for row in rows}


def components(modules, arrows):
    """The groups of more than one module that all reach each other."""
    reach = {}
    for module in modules:
        seen, todo = set(), [module]
        while todo:
            for to in arrows[todo.pop()] - seen:
                seen.add(to)
                todo.append(to)
        reach[module] = seen
    groups = {
        frozenset(other for other in modules if other in reach[one] and one in reach[other])
        for one in modules
        if one in reach[one]
    }
    return {group for group in groups if len(group) > 1}


def main():
    modules, found = imports()
    arrows = defaultdict(set)
    for one, other, _, _ in found:
        arrows[one].add(other)
    if "--graph" in sys.argv[1:]:
        for module in sorted(modules):
            print(f"{module}: {' '.join(sorted(arrows[module]))}")
        for group in components(modules, arrows):
            print("circle:", " ".join(sorted(group)))
        return 0
    allowed, named = table(), circles()
    where = MAP.relative_to(ROOT)
    wrong = []
    for one, other, path, line in found:
        if one in allowed and other not in allowed[one]:
            wrong.append(f"{path}:{line}: `{one}` may not import `{other}`")
    for module in sorted(modules - allowed.keys()):
        wrong.append(f"{where}: the table has no row for `{module}`")
    for module in sorted(allowed.keys() - modules):
        wrong.append(f"{where}: there is no module `{module}`")
    for module in sorted(allowed.keys() & modules):
        for other in sorted(allowed[module] - arrows[module]):
            wrong.append(f"{where}: `{module}` does not import `{other}`: take it out of the table")
    there = components(modules, arrows)
    show = lambda group: ", ".join(f"`{module}`" for module in sorted(group))
    for group in there - named:
        wrong.append(f"{where}: the circle of {show(group)} is not explained")
    for group in named - there:
        wrong.append(f"{where}: there is no circle of {show(group)} any more")
    print("\n".join(wrong) or f"{len(modules)} modules, every arrow as {where} says")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
