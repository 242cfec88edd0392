"""Edit the text of a JSON object in place: order, white space and unknown members stay as they are. Pure."""

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
    """Positions in the text: where the name starts, where the value starts, and where it ends."""

    name: str
    start: int
    value: int
    end: int


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    assert match
    return match.end()


def _members(text: str, brace: int) -> list[_Member]:
    """Return the members of the object that opens at `brace`."""
    decoder, members = json.JSONDecoder(), []
    position = _skip_space(text, brace + 1)
    while text[position] != "}":
        name, end = decoder.raw_decode(text, position)
        value = _skip_space(text, _skip_space(text, end) + 1)
        members.append(_Member(name, position, value, decoder.raw_decode(text, value)[1]))
        position = _skip_space(text, members[-1].end)
        if text[position] == ",":
            position = _skip_space(text, position + 1)
    return members


def _find(text: str, path: Sequence[str]) -> tuple[int, list[_Member], _Member | None, Sequence[str]]:
    """Return the innermost existing object on `path`: its brace, its members, the member that `path` names in it (or
    None), and the rest of `path`, which starts with that member's name."""
    brace = _skip_space(text, 0)
    while True:
        members = _members(text, brace)
        # json takes the last member of a repeated name.
        member = next((member for member in reversed(members) if member.name == path[0]), None)
        if member is None or len(path) == 1 or text[member.value] != "{":
            return brace, members, member, path
        brace, path = member.value, path[1:]


def with_value(text: str, path: Sequence[str], value: Any) -> str:
    """Return `text` with `value` at `path`. Objects on the path are created where they do not exist."""
    brace, members, member, rest = _find(text, path)
    end = line_end(text)
    for name in reversed(rest[1:]):
        value = {name: value}
    if member and json.loads(text[member.value : member.end]) == value:
        return text
    line = text[text.rfind("\n", 0, brace) + 1 : brace]
    indent = line[: len(line) - len(line.lstrip())]
    step = "  "
    if members and "\n" in text[brace : members[0].start]:
        step = text[text.rfind("\n", 0, members[0].start) + 1 : members[0].start].removeprefix(indent) or step
    new = json.dumps(value, indent=step, ensure_ascii=False).replace("\n", f"{end}{indent}{step}")
    if member:
        return text[: member.value] + new + text[member.end :]
    new = f"{json.dumps(rest[0], ensure_ascii=False)}: {new}"
    if not members:
        return f"{text[: brace + 1]}{end}{indent}{step}{new}{end}{indent}{text[text.index('}', brace) :]}"
    between = text[brace + 1 : members[0].start]
    return f"{text[: members[-1].end]},{between or ' '}{new}{text[members[-1].end :]}"


def without(text: str, path: Sequence[str]) -> str:
    """Return `text` without the member at `path`."""
    _, members, member, rest = _find(text, path)
    if member is None or len(rest) > 1:
        return text
    index = members.index(member)
    if index:
        return text[: members[index - 1].end] + text[member.end :]
    return text[: member.start] + text[members[1].start if members[1:] else member.end :]
