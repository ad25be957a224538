#!/usr/bin/env python3
"""Holds the messages of the log in docs/errors.md against the code: each row is in the code,
and each warning or error of the code has a row.

A row begins with one message, or with several behind semicolons, as far as they stand in
the code as one piece; where they are of one store only, that follows in brackets.

Usage: tests/tools/messages.py
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (.+?) \|", re.MULTILINE)
STORE = re.compile(r" \((SQLite|memory|Redis|PostgreSQL, MySQL|compare-and-swap)\)$")
LOGGED = re.compile(r"tracing::(?:warn|error)!\((.*?)\);", re.DOTALL)
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


def messages(page):
    """The messages of the table."""
    table = page.split("### In the log only")[1].split("\n### ")[0]
    for row in ROW.findall(table)[1:]:
        row = STORE.sub("", row)
        yield row


def logged(code):
    """The warnings and errors of the code, each up to what it puts in."""
    for call in LOGGED.findall(code):
        said = [text.split("{")[0].strip(" :") for text in TEXT.findall(call)]
        said = max(said, key=len, default="")
        if said:
            yield said


def main():
    code = "\n".join(file.read_text() for file in (ROOT / "session-runtime/src").rglob("*.rs"))
    # A type's name is put in where it is said.
    code = code.replace("`{}`", "`T`")
    listed = list(messages((ROOT / "docs/errors.md").read_text()))
    there = lambda row: row in code or all(part in code for part in row.split("; "))
    wrong = [row for row in listed if not there(row)]
    for row in wrong:
        print(f"docs/errors.md: nothing says `{row}`")
    rows = [part for row in listed for part in row.split("; ")]
    for said in logged(code):
        if not any(said.startswith(part) or part.startswith(said) for part in rows):
            wrong.append(said)
            print(f"docs/errors.md: no row for `{said}`")
    if not wrong:
        print(f"{len(listed)} messages of the log are listed, and all of them are in the code")
    # A table that is not recognised is not one that is right.
    return 1 if wrong or len(listed) < 20 else 0


sys.exit(main())
