from __future__ import annotations

import pytest

from chalicelib.dynamodb.schema import read
from chalicelib.problems import Problem
from chalicelib.query.controls import LIST, Parameters, Sort, controls_of, parse, parse_item
from chalicelib.settings import read as read_settings
from local import sample

SCHEMA = read(sample.TABLE)


def parse_query(query: dict[str, list[str]], single_item: bool = False, **settings: str) -> Parameters:
    return (parse_item if single_item else parse)(
        query, SCHEMA, read_settings({"TABLE_NAME": "study_test", **settings})
    )


def test_empty_query_has_the_default_limit_and_all_fields() -> None:
    assert parse_query({}) == Parameters(conditions=(), limit=100, numbers="string")
    assert parse_query({}, MAX_LIMIT="7", NUMBERS="number").limit == 7
    assert parse_query({}, NUMBERS="number").numbers == "number"


def test_every_control_is_parsed() -> None:
    parameters = parse_query(
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
    assert parameters == Parameters(
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
    assert (parameters.item_format, parse_query({"_typed": ["false"]}).item_format) == ("typed", "string")
    assert parse_query({"_sort": ["time"]}).sort == Sort("time", False)
    assert parse_query({"_fields": ['["a,b", "c"]']}).fields == (("a,b",), ("c",))
    assert parse_query({"_fields": ["a.b,a.c[0],a"]}).fields == (("a", "b"), ("a", "c", 0), ("a",))


def test_repeated_condition_means_and() -> None:
    conditions = parse_query({"mag__gte": ["2", "3"], "net": ["us"]}).conditions
    assert [str(condition) for condition in conditions] == ["mag__gte=2", "mag__gte=3", "net=us"]


def test_attribute_with_leading_underscore_is_filtered_with_an_operator() -> None:
    assert [str(condition) for condition in parse_query({"_limit__eq": ["5"]}).conditions] == ["_limit__eq=5"]


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
def test_invalid_parameter_is_a_400_that_says_what_to_write(query: dict[str, list[str]], detail: str) -> None:
    with pytest.raises(Problem) as error:
        parse_query(query)
    assert error.value.status == 400
    assert detail in error.value.detail


def test_condition_on_a_single_item_is_refused() -> None:
    assert parse_query({"_fields": ["mag"]}, single_item=True).fields == (("mag",),)
    with pytest.raises(Problem, match="Use _fields, _consistent, _numbers, _typed, _explain"):
        parse_query({"mag": ["5"]}, single_item=True)
    with pytest.raises(Problem, match="Unknown parameter '_limit'"):
        parse_query({"_limit": ["5"]}, single_item=True)


def test_unpublished_field_is_refused() -> None:
    with pytest.raises(Problem, match="'place' is not published"):
        parse_query({"_fields": ["place"]}, ATTRIBUTES="mag")


def test_index_of_a_table_without_indexes_is_refused() -> None:
    schema = read({**sample.TABLE, "GlobalSecondaryIndexes": []})
    with pytest.raises(Problem, match="This table has no index"):
        parse({"_index": ["by_net"]}, schema, read_settings({"TABLE_NAME": "study_test"}))
