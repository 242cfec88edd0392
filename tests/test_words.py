"""The words of documents, comments, docstrings, texts of the programs and the explorer: plain technical English."""

from __future__ import annotations

import ast
import io
import pathlib
import re
import tokenize
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT

# All of "is what" is banned, since a pattern cannot see which use is "X is what Y". The others are easy to avoid: "this
# is what curl prints" is shorter as "curl prints", and a question has the other order, "what is". Not banned, as they
# are common words: "which is not", "there is none" and "may leave" without "that".
BANNED = (
    "told",
    "tells? of",
    "anew",
    "mend(s|ed|ing)?",
    "strangers?",
    "kept in",
    "what is none",
    "(is|are|was|were) what",
    "which is no",
    "that there is none",
    "of its own",
    "not by itself",
    "(is|are) owed",
    "(take|takes|taken|taking|took)( it| them)?( all)? away",
    "what would be right",
    "that may leave",
    "for want of",
    "your word",
    "an order there is not",
    "has no words for",
    "trips over",
    "hanging up",
    "keeps no one out",
)
# A phrase may go on in the next line, behind the mark of a comment.
PHRASES = re.compile(rf"\b({'|'.join(BANNED)})\b".replace(" ", r"\s[\s/*]*"), re.IGNORECASE)

PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs/*.md")
CODE = ("app.py", *(f"{folder}/**/*.py" for folder in ("chalicelib", "local", "infra", "bench", "scripts", "tests")))
EXPLORER = tuple(f"chalicelib/**/*.{suffix}" for suffix in ("js", "html", "css"))


def files() -> list[str]:
    """Return the paths to read, relative to the project's folder. This file has to hold the list."""
    found = {str(path.relative_to(ROOT)) for pattern in (*PAGES, *CODE, *EXPLORER) for path in ROOT.glob(pattern)}
    this = str(pathlib.Path(__file__).relative_to(ROOT))
    return sorted(path for path in found if path != this and not path.startswith("bench/peers/"))


def python_texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each string, and all comments as one text with a line for each of `source`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    comments = [""] * (source.count("\n") + 1)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments[token.start[0] - 1] = token.string.lstrip("# ")
    # A line without a comment ends a sentence.
    yield 1, "\n".join(comment or "." for comment in comments)


def hits(path: str, source: str) -> list[str]:
    """Return a line `path:line: phrase` for each phrase of the list in `source`."""
    texts = python_texts(source) if path.endswith(".py") else [(1, source)]
    found = [
        (first + text.count("\n", 0, match.start()), " ".join(match[0].split()))
        for first, text in texts
        for match in PHRASES.finditer(text)
    ]
    return [f"{path}:{line}: {phrase}" for line, phrase in sorted(found)]


@pytest.mark.parametrize("path", files())
def test_words_are_plain(path: str) -> None:
    found = hits(path, (ROOT / path).read_text())
    assert not found, "\n".join(found)


def test_words_of_python_are_found_in_its_texts_alone() -> None:
    source = '''told = 1  # A reader is
# told.
def mended():
    """Return nothing.

    Taken away: all."""
    return f"{told} of the" " strangers", "is what", b"anew"
'''
    assert hits("a.py", source) == ["a.py:2: told", "a.py:6: Taken away", "a.py:7: is what", "a.py:7: strangers"]


def test_words_over_two_lines_are_one_phrase() -> None:
    assert hits("a.js", "// It is\n   // what is none.") == ["a.js:1: is // what"]
    assert hits("a.py", "# It is\n# what it is\n") == ["a.py:1: is what"]
    assert hits("a.py", "# It is\nwhat = 1  # what it is\n") == ["a.py:1: is what"]
    assert hits("a.py", "# It is\n\n# what it is\n") == []


@pytest.mark.parametrize(
    "text", ["Ask what is right.", "It was retold, kept inside, unmended.", "which is not", "a path"]
)
def test_words_that_only_look_alike_are_fine(text: str) -> None:
    assert hits("a.md", text) == []
