"""JSON files of .chalice/: read with their shape checked, and written atomically."""

from __future__ import annotations

import json
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

from infra.errors import UserError

FOLDER = pathlib.Path(".chalice")
CONFIG = FOLDER / "config.json"

# A shape is a type, a list with the shape of each element, or a dict: member -> its shape. ANY stands for each member
# that the dict does not name; a member without a shape is not checked.
ANY = "*"
TYPE_NAMES: dict[type, str] = {str: "a string", dict: "an object", list: "a list"}


def read_json(file: pathlib.Path, shape: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the text of `file`, line ends as they are, and its object without null members.

    Raise UserError if it is not JSON or not of `shape`.
    """
    try:
        text = file.read_bytes().decode()
        return text, _checked(json.loads(text), shape)
    except ValueError as error:
        raise UserError(f"{file} is not JSON: {error}") from None
    except TypeError as error:
        raise UserError(f"{file}: {error}") from None


def _checked(value: Any, shape: Any, *path: str) -> Any:
    """Return `value` without null members, which Chalice ignores. Raise TypeError if it is not of `shape`."""
    if isinstance(shape, list) and isinstance(value, dict):
        value = [value]  # IAM accepts one statement in place of a list.
    kind: Any = shape if isinstance(shape, type) else type(shape)
    if not isinstance(value, kind):
        raise TypeError(f"{'.'.join(path) or 'the file'} must be {TYPE_NAMES[kind]}, not {json.dumps(value)}")
    if kind is list:
        return [_checked(element, shape[0], *path, str(position)) for position, element in enumerate(value)]
    if kind is dict:
        shapes = {name: shape.get(name, shape.get(ANY)) for name in value}
        return {
            name: _checked(member, shapes[name], *path, name) if shapes[name] else member
            for name, member in value.items()
            if member is not None
        }
    return value


def write(file: pathlib.Path, text: str) -> None:
    """Replace the whole of `file` with `text` atomically, keeping its mode."""
    temporary = _temporary(file)
    temporary.write_bytes(text.encode())
    if file.exists():
        shutil.copymode(file, temporary)
    temporary.replace(file)


def check_writable() -> None:
    """Raise OSError if no file can be written to .chalice/."""
    temporary = _temporary(CONFIG)
    temporary.touch()
    temporary.unlink()


def _temporary(file: pathlib.Path) -> pathlib.Path:
    return file.with_name(f"{file.name}.new")
