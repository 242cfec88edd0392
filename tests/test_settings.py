from __future__ import annotations

import re
import subprocess
import sys

import pytest

from chalicelib.settings import SETTINGS, SettingError, read
from tests.conftest import Load


def test_only_the_table_name_is_required() -> None:
    settings = read({"TABLE_NAME": "study_test"})
    assert (settings.table_name, settings.allow_origin, settings.attributes) == ("study_test", "*", None)
    assert (settings.numbers, settings.max_limit, settings.scan) == ("string", 1000, True)
    assert settings.consistent_reads is True
    assert settings.dense_indexes == frozenset()
    assert (settings.feed_table, settings.stream_arn) == (None, None)
    assert (settings.freshness_seconds, settings.max_stale_seconds) == (1, 60)


def test_comma_list_may_have_spaces_and_a_trailing_comma() -> None:
    settings = read({"TABLE_NAME": "study_test", "ATTRIBUTES": "mag, place ,", "DENSE_INDEXES": "*"})
    assert settings.attributes == frozenset({"mag", "place"})
    assert settings.dense_indexes == frozenset({"*"})


STREAM_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/study_test/stream/2026-11-23T00:00:00.000"


def test_feed_settings_are_read() -> None:
    settings = read(
        {"TABLE_NAME": "study_test", "FEED_TABLE": "feed", "STREAM_ARN": STREAM_ARN, "FRESHNESS_SECONDS": "0"}
    )
    assert (settings.feed_table, settings.stream_arn, settings.freshness_seconds) == ("feed", STREAM_ARN, 0)


INVALID_SETTINGS = [
    ({}, "TABLE_NAME is not set. Set it for this stage in .chalice/config.json."),
    ({"TABLE_NAME": ""}, "TABLE_NAME is ''. Use a table's name"),
    ({"TABLE_NAME": "a b"}, "TABLE_NAME is 'a b'. Use a table's name"),
    ({"ALLOW_ORIGIN": ""}, "ALLOW_ORIGIN is ''. Use * or one origin, such as https://example.org"),
    ({"ALLOW_ORIGIN": "https://a.example,https://b.example"}, "Use * or one origin"),
    ({"ALLOW_ORIGIN": "https://a.example/"}, "Use * or one origin"),
    ({"ATTRIBUTES": ","}, "ATTRIBUTES is ','. Use a comma list of names, or remove it"),
    ({"ATTRIBUTES": ""}, "ATTRIBUTES is ''. Use a comma list of names, or remove it"),
    ({"NUMBERS": "float"}, "NUMBERS is 'float'. Use string or number"),
    ({"MAX_LIMIT": "0"}, "MAX_LIMIT is '0'. Use a whole number from 1"),
    ({"MAX_LIMIT": "ten"}, "MAX_LIMIT is 'ten'. Use a whole number from 1"),
    ({"SCAN": "no"}, "SCAN is 'no'. Use allow or deny"),
    ({"MAX_LIMIT": "-1"}, "MAX_LIMIT is '-1'. Use a whole number from 1"),
    ({"FRESHNESS_SECONDS": "0.5"}, "FRESHNESS_SECONDS is '0.5'. Use a whole number from 0"),
    ({"MAX_STALE_SECONDS": "0"}, "MAX_STALE_SECONDS is '0'. Use a whole number from 1"),
    ({"FEED_TABLE": "a b"}, "FEED_TABLE is 'a b'. Use a table's name"),
    ({"FEED_TABLE": "study_test"}, "FEED_TABLE is 'study_test', the published table"),
    ({"STREAM_ARN": STREAM_ARN}, "STREAM_ARN is set and FEED_TABLE is not"),
    ({"STREAM_ARN": "study_test", "FEED_TABLE": "f-1"}, "STREAM_ARN is 'study_test'. Use the ARN of the table's"),
    (
        {"STREAM_ARN": STREAM_ARN.replace("study", "other"), "FEED_TABLE": "f-1"},
        "Use the stream of TABLE_NAME, 'study_test'",
    ),
    ({"CONSISTENT_READS": "1"}, "CONSISTENT_READS is '1'. Use true or false"),
]


@pytest.mark.parametrize(("environ", "line"), INVALID_SETTINGS)
def test_invalid_setting_is_named_with_its_valid_values(environ: dict[str, str], line: str) -> None:
    with pytest.raises(SettingError, match=re.escape(line)) as error:
        read({"TABLE_NAME": "study_test", **environ} if environ.keys() - {"TABLE_NAME"} else environ)
    assert "\n" not in str(error.value)


def test_invalid_setting_exits_with_one_line(load_app: Load, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_error:
        load_app(SCAN="maybe")
    assert exit_error.value.code == 1
    assert capsys.readouterr().err == "tablecast: SCAN is 'maybe'. Use allow or deny.\n"


def test_missing_table_name_exits_at_import_with_one_line() -> None:
    result = subprocess.run([sys.executable, "-c", "import app"], env={}, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == "tablecast: TABLE_NAME is not set. Set it for this stage in .chalice/config.json.\n"


def test_readme_lists_every_setting_with_its_description() -> None:
    with open("README.md") as file:
        rows = [line.split("|")[1:3] for line in file if line.startswith("| `") and line.count("|") == 4]
    plain_rows = [[re.sub(r"`|\[(.+?)\]\(.+?\)", r"\1", cell).strip() for cell in row] for row in rows]
    assert plain_rows == [[name, setting.description] for name, setting in SETTINGS.items()]
