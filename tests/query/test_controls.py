from __future__ import annotations

import pytest

from chalicelib.dynamodb.schema import read
from chalicelib.problems import Problem
from chalicelib.query.controls import LIST, Parameters, Sort, controls_of, parse, parse_item
from chalicelib.settings import read as read_settings
from local import sample

SCHEMA = read(sample.TABLE)


def parsed(query: dict[str, list[str]], of_item: bool = False, **settings: str) -> Parameters:
    return (parse_item if of_item else parse)(query, SCHEMA, read_settings({"TABLE_NAME": "study_test", **settings}))


def test_nothing_asked_is_a_hundred_items_of_all_fields() -> None:
    assert parsed({}) == Parameters(conditions=(), limit=100, numbers="string")
    assert parsed({}, MAX_LIMIT="7", NUMBERS="number").limit == 7
    assert parsed({}, NUMBERS="number").numbers == "number"


def test_controls_are_read() -> None:
    asked = parsed(
        {
            "_limit": ["1000"],
            "_cursor": ["x"],
            "_sort": ["-time"],
            "_fields": ["mag,geometry.coordinates[2]"],
            "_index": ["by_net"],
            "_consistent": ["false"],
            "_numbers": ["number"],
            "_typed": ["true"],
            "_explain": ["true"],
        }
    )
    assert asked == Parameters(
        conditions=(),
        limit=1000,
        numbers="number",
        cursor="x",
        sort=Sort("time", True),
        fields=(("mag",), ("geometry", "coordinates", 2)),
        index_name="by_net",
        consistent=False,
        typed=True,
        explain=True,
    )
    assert (asked.item_format, parsed({"_typed": ["false"]}).item_format) == ("typed", "string")
    assert parsed({"_sort": ["time"]}).sort == Sort("time", False)
    assert parsed({"_fields": ['["a,b", "c"]']}).fields == (("a,b",), ("c",))
    assert parsed({"_fields": ["a.b,a.c[0],a"]}).fields == (("a", "b"), ("a", "c", 0), ("a",))


def test_repeating_a_condition_means_and() -> None:
    conditions = parsed({"mag__gte": ["2", "3"], "net": ["us"]}).conditions
    assert [str(condition) for condition in conditions] == ["mag__gte=2", "mag__gte=3", "net=us"]


def test_an_attribute_with_an_underscore_first_is_reached_with_an_operator() -> None:
    assert [str(condition) for condition in parsed({"_limit__eq": ["5"]}).conditions] == ["_limit__eq=5"]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ({"_limit": ["0"]}, "_limit is '0'. Use a whole number from 1 to 1000."),
        ({"_limit": ["1001"]}, "from 1 to 1000"),
        ({"_limit": ["abc"]}, "from 1 to 1000"),
        ({"_limit": ["1e9"]}, "from 1 to 1000"),
        ({"_limit": ["-1"]}, "from 1 to 1000"),
        ({"_limit": ["٥"]}, "from 1 to 1000"),
        ({"_limit": ["9" * 9999]}, "from 1 to 1000"),
        ({"_limit": ["5", "6"]}, "_limit is given 2 times. Give it once."),
        ({"_page": ["2"]}, "For an attribute of that name write _page__eq."),
        ({"_page": ["2"]}, f"Unknown parameter '_page'. Use {', '.join(controls_of(LIST))}."),
        ({"__eq": ["2"]}, "Unknown parameter '__eq'"),
        ({"": ["2"]}, "'' is not a path"),
        ({"_fields": [""]}, "_fields names no attribute. Give at least one"),
        ({"_fields": ["[]"]}, "_fields names no attribute"),
        ({"_fields": ["a,"]}, "_fields names no attribute"),
        ({"_fields": ['""']}, "_fields names no attribute"),
        ({"_fields": ["a.b,a[0]"]}, "_fields uses 'a' as a map and as a list. Use one of them."),
        ({"_fields": ["c.a.b,c.a[0]"]}, "_fields uses 'a' as a map and as a list"),
        ({"_fields": ["net.x"]}, "'net.x' reaches into a string key, which has no parts. Use net."),
        ({"mag[0]__gt": ["5"]}, "'mag[0]' reaches into a number key"),
        ({"_fields": ["a..b"]}, "is not a path"),
        ({"_index": ["by_me"]}, "Use by_net, by_type_and_size, by_alert."),
        ({"_consistent": ["yes"]}, "_consistent is 'yes'. Use true or false."),
        ({"_numbers": ["float"]}, "_numbers is 'float'. Use string or number."),
        ({"_explain": [""]}, "_explain is ''. Use true or false."),
    ],
)
def test_a_parameter_that_cannot_be_is_told_what_would_be_right(query: dict[str, list[str]], detail: str) -> None:
    with pytest.raises(Problem) as error:
        parsed(query)
    assert error.value.status == 400
    assert detail in error.value.detail


def test_a_single_item_takes_no_conditions() -> None:
    assert parsed({"_fields": ["mag"]}, of_item=True).fields == (("mag",),)
    with pytest.raises(Problem, match="Use _fields, _consistent, _numbers, _typed, _explain"):
        parsed({"mag": ["5"]}, of_item=True)
    with pytest.raises(Problem, match="Unknown parameter '_limit'"):
        parsed({"_limit": ["5"]}, of_item=True)


def test_what_is_not_published_is_no_field() -> None:
    with pytest.raises(Problem, match="'place' is not published"):
        parsed({"_fields": ["place"]}, ATTRIBUTES="mag")


def test_a_table_without_indexes_says_so() -> None:
    schema = read({**sample.TABLE, "GlobalSecondaryIndexes": []})
    with pytest.raises(Problem, match="This table has no index"):
        parse({"_index": ["by_net"]}, schema, read_settings({"TABLE_NAME": "study_test"}))
