from __future__ import annotations

import pathlib
from typing import Any

import pytest

from infra.errors import UserError
from local.rows import Rows, read


def rows(tmp_path: pathlib.Path, name: str, text: str | bytes, sort_key: str | None = None) -> Rows:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read(path, "id", sort_key)


def items(read_rows: Rows) -> list[dict[str, Any]]:
    return [item for _, item in read_rows.items]


def test_json_keeps_types_and_digits(tmp_path: pathlib.Path) -> None:
    text = '[{"id": 1, "price": 12.345678901234567890123456789, "ok": true, "no": null,\n "in": {"a": [1, "x"]}}]'
    loaded = rows(tmp_path, "a.json", text)
    assert loaded.types == {"id": "N"}
    assert items(loaded) == [
        {
            "id": {"N": "1"},
            "price": {"N": "12.345678901234567890123456789"},
            "ok": {"BOOL": True},
            "no": {"NULL": True},
            "in": {"M": {"a": {"L": [{"N": "1"}, {"S": "x"}]}}},
        }
    ]


def test_invalid_row_is_reported_and_the_rest_loaded(tmp_path: pathlib.Path) -> None:
    loaded = rows(
        tmp_path,
        "a.json",
        '[\n{"id": "a"},\n5,\n{"name": "b"},\n{"id": 7},\n{"id": ""},\n{"id": "a"},\n{"id": null},\n'
        '{"id": "n", "x": NaN},\n{"id": "d", "x": ' + "1" * 39 + '},\n{"id": "z"}]',
    )
    assert [line for line, _ in loaded.items] == [2, 11]
    assert loaded.errors == [
        "line 3: not an object",
        "line 4: id is missing",
        "line 5: id is a number, but a string in earlier rows",
        "line 6: id has 0 bytes; this key must have 1 to 2048",
        "line 7: same key as line 2",
        "line 8: id must be a string or a number, as a key",
        "line 9: x is not a number",
        "line 10: x is a number of 39 digits; DynamoDB keeps 38",
    ]


def test_malformed_row_is_reported_and_the_rest_loaded(tmp_path: pathlib.Path) -> None:
    text = '[\n  {"id": 1},\n  {"id": 2, "in": [\n    {"id": 7}, oops\n  ]},\n  {"id": 3}\n] behind'
    loaded = rows(tmp_path, "a.json", text)
    assert [(line, item["id"]["N"]) for line, item in loaded.items] == [(2, "1"), (6, "3")]
    assert loaded.errors == [
        "line 3: not JSON at line 4: Expecting value",
        "line 6: text after the end of the array: 'behind'",
    ]
    truncated = rows(tmp_path, "a.json", '[{"id": 1}, {"id": 2}, {"id')
    assert [line for line, _ in truncated.items] == [1, 1]
    assert truncated.errors[0].endswith("; the rest of the file cannot be read")


def test_only_newline_ends_a_line(tmp_path: pathlib.Path) -> None:
    loaded = rows(tmp_path, "a.csv", "id,b\n1,x\u2028y\x0bz\n2,\x85\n")
    assert [item["b"]["S"] for item in items(loaded)] == ["x\u2028y\x0bz", "\x85"]


def test_lone_surrogate_is_an_invalid_row(tmp_path: pathlib.Path) -> None:
    loaded = rows(tmp_path, "a.ndjson", '{"id": 1, "v": "\\ud800"}\n{"id": 2}\n')
    assert loaded.errors == ["line 1: half of a surrogate pair, which is not valid text"]
    assert len(loaded.items) == 1


def test_ndjson_has_one_row_per_line(tmp_path: pathlib.Path) -> None:
    deep = '{"id": "d", "x": ' + "[" * 100_000
    loaded = rows(tmp_path, "a.ndjson", '{"id": "a", "n": 1}\n\n{"id": \n{"id": "b"}\n' + deep + "\n")
    assert [line for line, _ in loaded.items] == [1, 4]
    assert loaded.errors[0].startswith("line 3: not JSON: Expecting value")
    assert loaded.errors[1] == "line 5: nested deeper than an item can be"
    assert rows(tmp_path, "a.jsonl", '{"id": "a"}').types == {"id": "S"}


def test_csv_column_has_one_type(tmp_path: pathlib.Path) -> None:
    loaded = rows(
        tmp_path,
        "a.csv",
        '\ufeffid,zip,n,ok,word\r\n1,00501,1.50,true,5\r\n2,10001,-2,false,"a, ""b""\nc"\r\n'
        "3,,,,\r\n\r\n4,1\r\n5,2,3,true,x\r\n",
    )
    assert loaded.types == {"id": "N"}
    assert items(loaded)[:3] == [
        {"id": {"N": "1"}, "zip": {"S": "00501"}, "n": {"N": "1.5"}, "ok": {"BOOL": True}, "word": {"S": "5"}},
        {"id": {"N": "2"}, "zip": {"S": "10001"}, "n": {"N": "-2"}, "ok": {"BOOL": False}, "word": {"S": 'a, "b"\nc'}},
        {"id": {"N": "3"}},
    ]
    assert [line for line, _ in loaded.items] == [2, 3, 5, 8]
    assert loaded.errors == ["line 7: 2 cells, but the header has 5"]


def test_sort_key_is_part_of_the_key(tmp_path: pathlib.Path) -> None:
    loaded = rows(tmp_path, "a.csv", f"id,day\na,1\na,2\na,1\nb,\nc,{'1' * 40}\n", sort_key="day")
    assert loaded.types == {"id": "S", "day": "N"}
    assert [line for line, _ in loaded.items] == [2, 3]
    assert (
        loaded.errors
        == [
            "line 4: same key as line 2",
            "line 5: day is missing",
            "line 6: day is a number of 40 digits; DynamoDB keeps 38",
        ]
        or "40 digits" in loaded.errors[-1]
    )


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.xlsx", "", "a.xlsx is not supported. Name it by its format: .json, .ndjson, .jsonl, .csv."),
        (
            "a.json",
            '{"id": 1}',
            "A .json file must hold an array of objects. For one object per line, name it .ndjson.",
        ),
        (
            "a.json",
            "[" + "[" * 100_000,
            "a.json has no row that can be loaded: line 1: nested deeper than an item can be",
        ),
        ("a.json", "[]", "a.json has no row that can be loaded"),
        ("a.json", '[{"x": 1}]', "a.json has no row that can be loaded: line 1: id is missing"),
        ("a.csv", "", "The first line of a .csv file must name its columns, each once."),
        ("a.csv", "id,id\n1,2", "must name its columns, each once."),
        ("a.csv", 'id,x\n1,"a" b\n', "Line 2 is not CSV"),
        ("a.csv", b"id\n\xff\n", "is not UTF-8: byte 3 is 0xff"),
    ],
)
def test_unreadable_file_is_reported_in_one_line(
    tmp_path: pathlib.Path, name: str, text: str | bytes, line: str
) -> None:
    with pytest.raises(UserError) as error:
        rows(tmp_path, name, text)
    assert line in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_file_is_reported(tmp_path: pathlib.Path) -> None:
    with pytest.raises(UserError, match=r"none\.csv cannot be read: No such file or directory"):
        read(tmp_path / "none.csv", "id", None)
