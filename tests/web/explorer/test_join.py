"""Joining the explorer's parts: one script that runs as its modules do, or an error that names what to change."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from chalicelib.web.explorer.join import joined
from chalicelib.web.explorer.page import FOLDER

INDEX = """<!doctype html>
<title>Page</title>
<link rel="stylesheet" href="first.css">
<link rel="stylesheet" href="second.css">
<script type="module" src="main.js"></script>
"""
NODE = str(pathlib.Path(sys.executable).with_name("node"))
STYLES = {"first.css": "a { color: red; }\n", "second.css": "b::before { content: '\\201c'; }\n"}

Join = Callable[..., str]


@pytest.fixture
def join(tmp_path: pathlib.Path) -> Join:
    """Return a function that joins `index`, `styles` and modules. A module's keyword is its file's name without .js."""

    def join(index: str = INDEX, styles: dict[str, str] = STYLES, **modules: str) -> str:
        parts = {"index.html": index, **styles, **{f"{name}.js": text for name, text in modules.items()}}
        for name, text in parts.items():
            (tmp_path / name).write_text(text)
        return joined(tmp_path)

    return join


def run_in_node(script: str) -> str:
    """Run `script` as a module. Return its output."""
    command = [NODE, "--input-type=module"]
    return subprocess.run(command, input=script, capture_output=True, text=True, check=True).stdout


def element_text(page: str, element: str) -> str:
    (text,) = re.findall(rf"<{element}\b[^>]*>(.*?)</{element}>", page, re.DOTALL)
    return str(text)


def test_module_runs_once_after_its_imports(join: Join) -> None:
    page = join(
        main="import {b} from './b.js';\nimport {a} from './a.js';\n\nconsole.log('main', a, b);\n",
        a="import {\n  c,\n  $d,\n} from './c.js';\n\nconsole.log('a');\nexport const a = c + $d;\n",
        b="import {c} from './c.js';\n\nconsole.log('b');\nexport let b = c;\n",
        c="console.log('c');\nexport function c1() {}\nexport const c = 1;\nexport const $d = 2;\n",
    )
    assert run_in_node(element_text(page, "script")) == "c\nb\na\nmain 3 1\n"


def test_every_kind_of_declaration_is_joined(join: Join) -> None:
    page = join(
        main="import {A, b, c, d, e} from './a.js';\nconsole.log(new A().x, b(), await c(), d, e);\n",
        a="export class A {\n  x = 1;\n}\nexport function b() {\n  return 2;\n}\n"
        "export async function c() {\n  return 3;\n}\nexport const d = 4;\nexport let e = 5;\n",
    )
    assert run_in_node(element_text(page, "script")) == "1 2 3 4 5\n"


def test_assignment_to_an_export_is_visible_to_its_importers(join: Join) -> None:
    page = join(
        main="import {count, next} from './a.js';\nnext();\nconsole.log(count);\n",
        a="export let count = 0;\nexport function next() {\n  count++;\n}\n",
    )
    assert run_in_node(element_text(page, "script")) == "1\n"


def test_styles_are_joined_in_order(join: Join) -> None:
    page = join(main="console.log(1);\n")
    assert element_text(page, "style") == (
        "\n/* first.css */\n\na { color: red; }\n\n/* second.css */\n\nb::before { content: '\\201c'; }\n"
    )
    assert page.startswith("<!doctype html>\n<title>Page</title>\n<style>\n")


def test_type_comments_are_removed_and_other_comments_kept(join: Join) -> None:
    page = join(
        main="/** Return it.\n *\n * @param {import('./x.js').X} x\n */\nconst a = /** @type {any} */ (1);\n"
        "// Because of that.\n/** @type {X} */ (a);\n\n  /** @type {X} */\nconsole.log(a);\n"
    )
    script = element_text(page, "script")
    assert "Return it" not in script
    assert "// Because of that.\n/** @type {X} */ (a);\n" in script
    assert run_in_node(script) == "1\n"


def test_local_names_of_functions_may_repeat(join: Join) -> None:
    page = join(
        main="import {a} from './a.js';\nfunction f() {\n  const x = a();\n  return x;\n}\nconsole.log(f());\n",
        a="export function a() {\n  const x = 1;\n  return x;\n}\n",
    )
    assert run_in_node(element_text(page, "script")) == "1\n"


@pytest.mark.parametrize(
    "declaration", ["const x = 1;", "export function x() {}", "class x {}", "async function x() {}"]
)
def test_name_declared_by_two_modules_is_refused(join: Join, declaration: str) -> None:
    with pytest.raises(ValueError, match=re.escape("main.js and a.js both declare x: rename one.")):
        join(main=f"import {{y}} from './a.js';\n{declaration}\n", a="let x = 1;\nexport const y = 1;\n")


@pytest.mark.parametrize("declaration", ["const {x, y} = z;", "let [x] = z;", "export function* x() {}"])
def test_declaration_without_a_single_name_is_refused(join: Join, declaration: str) -> None:
    with pytest.raises(ValueError, match=r"^main\.js: cannot join "):
        join(main=f"{declaration}\n")


def test_import_cycle_is_refused(join: Join) -> None:
    with pytest.raises(ValueError, match=re.escape("import each other: main.js -> a.js -> b.js -> a.js.")):
        join(
            main="import {a} from './a.js';\n",
            a="import {b} from './b.js';\nexport const a = 1;\n",
            b="import {a} from './a.js';\nexport const b = 1;\n",
        )
    with pytest.raises(ValueError, match=re.escape("import each other: main.js -> main.js.")):
        join(main="import {a} from './main.js';\nexport const a = 1;\n")


@pytest.mark.parametrize(
    "line",
    [
        "import {a as b} from './a.js'",
        "import a from './a.js';",
        "import * as a from './a.js';",
        "import './a.js';",
        "import {a} from 'package';",
        "import {a} from './a.js' with {type: 'json'};",
        "  import {a} from './a.js';",
        "const a = await import('./a.js');",
        "console.log(import.meta.url);",
        "export default 1;",
        "export default function a() {}",
        "export {a};",
        "export {a as b};",
        "export * from './a.js';",
        "export const {a} = b;",
        "export var a = 1;",
    ],
)
def test_unsupported_module_syntax_is_refused(join: Join, line: str) -> None:
    with pytest.raises(ValueError, match=f"^main.js: cannot join {re.escape(repr(line.strip().rstrip(';')))[:-1]}"):
        join(main=f"const x = 1;\n{line}\n", a="export const a = 1;\n")


def test_missing_module_is_named(join: Join) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.js"):
        join(main="import {a} from './gone.js';\n")


@pytest.mark.parametrize("text", ["</script>", "</SCRIPT", "<!--", "</p>"])
def test_text_that_could_end_the_element_is_refused(join: Join, text: str) -> None:
    with pytest.raises(ValueError, match=r"^main\.js: .* could end the element that it is in\.$"):
        join(main=f"const a = '{text}';\n")
    with pytest.raises(ValueError, match=r"^x\.css: .* could end the element that it is in\.$"):
        join(
            index=INDEX.replace("first", "x"),
            styles={**STYLES, "x.css": f"a::before {{ content: '{text}' }}\n"},
            main="console.log(1);\n",
        )


@pytest.mark.parametrize(
    "index",
    [
        INDEX.replace('<script type="module" src="main.js"></script>', ""),
        INDEX + '<script type="module" src="main.js"></script>\n',
        INDEX.replace("<link", "<p></p>\n<link"),
        re.sub("<link.*>\n", "", INDEX),
    ],
)
def test_page_without_one_script_and_adjacent_styles_is_refused(join: Join, index: str) -> None:
    with pytest.raises(ValueError, match=r"^index\.html: write all links"):
        join(index=index, main="console.log(1);\n")


def test_explorer_is_one_script_that_node_parses(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "joined.mjs"
    script.write_text(element_text(joined(FOLDER), "script"))
    checked = subprocess.run([NODE, "--check", str(script)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_every_file_of_the_explorer_is_in_the_page() -> None:
    parts = [part.name for part in FOLDER.iterdir() if part.suffix in (".js", ".css")]
    assert sorted(re.findall(r"^/\* ([\w-]+\.(?:js|css)) \*/$", joined(FOLDER), re.MULTILINE)) == sorted(parts)


def test_every_element_named_by_a_module_is_in_the_page() -> None:
    page = joined(FOLDER)
    named = set(re.findall(r"\b(?:byId|showText|link)\('([\w-]+)'", page))
    assert len(named) > 40
    assert named <= set(re.findall(r'\bid="([\w-]+)"', page))
