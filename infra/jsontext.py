"""Changes of a JSON object's text that leave the rest of the text as it is: order, spaces, and what we do not know."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_SPACE = re.compile(r"\s*")


def line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


@dataclass(frozen=True)
class _Member:
    name: str
    start: int  # of the name
    value: int
    end: int


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found
    return found.end()


def _members(text: str, at: int) -> list[_Member]:
    """The members of the object whose brace is at `at`."""
    decoder, members = json.JSONDecoder(), []
    at = _after_space(text, at + 1)
    while text[at] != "}":
        name, end = decoder.raw_decode(text, at)
        value = _after_space(text, _after_space(text, end) + 1)
        members.append(_Member(name, at, value, decoder.raw_decode(text, value)[1]))
        at = _after_space(text, members[-1].end)
        if text[at] == ",":
            at = _after_space(text, at + 1)
    return members


def _found(text: str, path: Sequence[str]) -> tuple[int, list[_Member], _Member | None, Sequence[str]]:
    """The object that `path` leads to as far as it is there: its brace, its members, the one that is meant if there is
    one, and what of the path is left from that member on."""
    at = _after_space(text, 0)
    while True:
        members = _members(text, at)
        # Of a name that is there twice, json takes the last.
        member = next((one for one in reversed(members) if one.name == path[0]), None)
        if member is None or len(path) == 1 or text[member.value] != "{":
            return at, members, member, path
        at, path = member.value, path[1:]


def with_value(text: str, path: Sequence[str], value: Any) -> str:
    """`text` with `value` at `path`, and with the objects on the way to it where they are not there."""
    at, members, member, rest = _found(text, path)
    end = line_end(text)
    for name in reversed(rest[1:]):
        value = {name: value}
    if member and json.loads(text[member.value : member.end]) == value:
        return text
    line = text[text.rfind("\n", 0, at) + 1 : at]
    indent = line[: len(line) - len(line.lstrip())]
    if members and "\n" in text[at : members[0].start]:
        step = text[text.rfind("\n", 0, members[0].start) + 1 : members[0].start].removeprefix(indent) or "  "
    else:
        step = "  "
    new = json.dumps(value, indent=step, ensure_ascii=False).replace("\n", f"{end}{indent}{step}")
    if member:
        return text[: member.value] + new + text[member.end :]
    new = f"{json.dumps(rest[0], ensure_ascii=False)}: {new}"
    if not members:
        return f"{text[: at + 1]}{end}{indent}{step}{new}{end}{indent}{text[text.index('}', at) :]}"
    between = text[at + 1 : members[0].start]
    return f"{text[: members[-1].end]},{between or ' '}{new}{text[members[-1].end :]}"


def without(text: str, path: Sequence[str]) -> str:
    """`text` with nothing at `path`."""
    _, members, member, rest = _found(text, path)
    if member is None or len(rest) > 1:
        return text
    place = members.index(member)
    if place:
        return text[: members[place - 1].end] + text[member.end :]
    return text[: member.start] + text[members[1].start if members[1:] else member.end :]
