"""The explorer's parts, joined into one file: index.html with its stylesheets and its modules in it.

A module is joined by removing the words import and export, so that all share one scope. What that would change the
meaning of is refused: two declarations of one name, import cycles, and any other form of import and export.
"""

from __future__ import annotations

import pathlib
import re

_STYLES = re.compile(r'(?:<link rel="stylesheet" href="[\w-]+\.css">\n)+')
_SCRIPT = re.compile(r'<script type="module" src="([\w-]+\.js)"></script>')

_IMPORT = re.compile(r"^import \{[\w$\s,]+\} from '\./([\w-]+\.js)';\n\n?", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async function|function|class|const|let) [\w$])", re.MULTILINE)
_DECLARATION = re.compile(r"^(?:async function|function|class|const|let|var)\b ?([\w$]*).*", re.MULTILINE)
_JSDOC = re.compile(r"^ */\*\*(?:(?!\*/).)*\*/\n", re.MULTILINE | re.DOTALL)
_OTHER = re.compile(r"^.*\b(?:import|export)\b.*", re.MULTILINE)
_MARKUP = re.compile(r"^.*(?:</|<!--).*", re.MULTILINE)


def joined(folder: pathlib.Path) -> str:
    """Return the text of the page whose parts are in `folder`. Raise ValueError where they cannot be joined."""

    def style(links: re.Match[str]) -> str:
        files = re.findall(r'href="([^"]*)"', links[0])
        return f"<style>\n{_inline({file: (folder / file).read_text('utf-8') for file in files})}</style>\n"

    def script(tag: re.Match[str]) -> str:
        modules: dict[str, str] = {}
        _add_module(tag[1], folder, modules, ())
        _check_declarations(modules)
        return f'<script type="module">\n{_inline(modules)}</script>'

    text, styles = _STYLES.subn(style, (folder / "index.html").read_text("utf-8"))
    text, scripts = _SCRIPT.subn(script, text)
    if (styles, scripts) != (1, 1):
        raise ValueError("index.html: write all links to stylesheets one below the other, and one module script.")
    return text


def _add_module(name: str, folder: pathlib.Path, modules: dict[str, str], importers: tuple[str, ...]) -> None:
    """Add the module and all that it imports to `modules`, each after those that it imports."""
    if name in importers:
        raise ValueError(f"These modules import each other: {' -> '.join((*importers, name))}.")
    if name in modules:
        return
    # JSDoc is for the parts: what checks types reads them there.
    text = _JSDOC.sub("", (folder / name).read_text("utf-8"))
    for imported in _IMPORT.findall(text):
        _add_module(imported, folder, modules, (*importers, name))
    text = _EXPORT.sub("", _IMPORT.sub("", text))
    if other := _OTHER.search(text):
        raise ValueError(
            f"{name}: cannot join {other[0].strip()!r}. Write import {{a, b}} from './module.js'; at the start of a "
            "line, and export before a declaration."
        )
    modules[name] = text


def _check_declarations(modules: dict[str, str]) -> None:
    owners: dict[str, str] = {}
    for name, text in modules.items():
        for declaration in _DECLARATION.finditer(text):
            declared = declaration[1]
            if not declared:
                raise ValueError(f"{name}: cannot join {declaration[0]!r}. Declare one name.")
            if declared in owners:
                raise ValueError(f"{name} and {owners[declared]} both declare {declared}: rename one.")
            owners[declared] = name


def _inline(parts: dict[str, str]) -> str:
    """Return the texts by their file's name as one that may stand in an element."""
    for name, text in parts.items():
        if markup := _MARKUP.search(text):
            raise ValueError(f"{name}: {markup[0].strip()!r} could end the element that it is in.")
    return "\n".join(f"/* {name} */\n\n{text.strip()}\n" for name, text in parts.items())
