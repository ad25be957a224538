#!/usr/bin/env python3
"""Holds the table of SECURITY.md against the tests: every test that it names is there.

A test stands in the table as its place and its name, each in back quotes, and further
names of the same place behind commas:

    `integration/cookies` `one_test`, `another_test`; `unit/token` `a_third`

| place | what |
|---|---|
| `unit/<module>` | a `#[test]` in the file of that module of session-runtime, or below it |
| `integration/<module>`, `servers/…`, `browser/…`, `proof/…` | one below that module in tests/ |
| `store/<theme>` | a rule of the conformance suite in that file |
| `examples/<example>` | one in examples/tests |
| `moving` | one in tests/moving/tests |
| `guide/<chapter>` | a chapter of docs/guide with an example that runs |
| `tests/ui/<family>` | a case of the derive in that folder |

Without a name a place stands for all tests in it, of which there must be one. Macros that
make tests of a list (`promises! { name; }`) count where the name stands in the list.

Usage: tests/tools/promises.py [file]
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "SECURITY.md"

PLACE = re.compile(
    r"(unit|integration|servers|store|proof|browser|guide|examples|tests/ui)/[a-z0-9_/-]+|moving"
)
QUOTED = re.compile(r"`([^`]+)`")
NAME = re.compile(r"[a-z0-9_]+")
TEST = re.compile(
    r"#\[(?:\w+::)?test(?:\([^)]*\))?\]\s*(?:#\[[^\]]*\]\s*)*(?:async\s+)?fn\s+(\w+)"
)
RULE = re.compile(r"^pub async fn (\w+)", re.MULTILINE)
# A line of a list from which a macro makes tests: `name;`, `theme: name;`.
LISTED = re.compile(r"^\s*(?:\w+:\s*)?(\w+);\s*$", re.MULTILINE)


def files_of(folder, module):
    """The file of a module and those below it."""
    path = folder / module
    files = [path.with_suffix(".rs"), *sorted(path.rglob("*.rs"))]
    return [file for file in files if file.is_file()]


def files_at(place):
    """The files of a place; none if there is no such place."""
    kind, _, rest = place.partition("/")
    if place.startswith("tests/ui/"):
        return sorted((ROOT / place).glob("*.rs"))
    match kind:
        case "moving":
            return sorted((ROOT / "tests/moving/tests").glob("*.rs"))
        case "examples":
            return files_of(ROOT / "examples/tests", rest)
        case "unit":
            return files_of(ROOT / "session-runtime/src", rest)
        case "store":
            return files_of(ROOT / "session-runtime/src/store/conformance", rest)
        case "guide":
            return [file for file in [ROOT / f"docs/guide/{rest}.md"] if file.is_file()]
        case _:
            return files_of(ROOT / "tests" / kind, rest)


def names_in(place, files):
    """The tests of a place."""
    texts = [file.read_text() for file in files]
    if place.startswith("tests/ui/"):
        return {file.stem for file in files}
    if place.startswith("guide/"):
        return {"an example"} if any(runs(text) for text in texts) else set()
    rule = RULE if place.startswith("store/") else TEST
    names = {name for text in texts for name in rule.findall(text)}
    if place.startswith(("integration/", "servers/")):
        names |= {name for text in texts for name in LISTED.findall(text)}
    return names


def runs(chapter):
    """Whether one of its blocks of code is neither ignored nor of another language."""
    return re.search(r"^```(rust)?(,no_run)?\n", chapter, re.MULTILINE) is not None


def mentions(row):
    """Each place of a row, with the names behind it."""
    place, names = None, []
    for quoted in QUOTED.findall(row):
        if PLACE.fullmatch(quoted):
            if place:
                yield place, names
            place, names = quoted, []
        elif place and NAME.fullmatch(quoted) and "_" in quoted:
            names.append(quoted)
        elif place and place.startswith("tests/ui/") and NAME.fullmatch(quoted):
            names.append(quoted)
    if place:
        yield place, names


def main():
    rows = [
        (number, line)
        for number, line in enumerate(TABLE.read_text().splitlines(), 1)
        if re.match(r"\| (S\d+\w*|–) \|", line)
    ]
    wrong, seen = [], 0
    for number, row in rows:
        for place, names in mentions(row):
            files = files_at(place)
            there = names_in(place, files)
            seen += len(names) or 1
            if not there:
                wrong.append(f"{TABLE.name}:{number}: there is no test in `{place}`")
                continue
            for name in names:
                if name not in there:
                    wrong.append(f"{TABLE.name}:{number}: `{place}` has no test `{name}`")
    print("\n".join(wrong) or f"{len(rows)} promises name {seen} tests, and all of them are there")
    # A table that is not recognised is not one that is right.
    return 1 if wrong or len(rows) < 30 else 0


sys.exit(main())
