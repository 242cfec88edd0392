from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest

from chalicelib.dynamodb.schema import read
from chalicelib.problems import Problem
from chalicelib.query.access import access_of
from chalicelib.query.controls import parse, parse_item
from chalicelib.query.planner import plan_items
from chalicelib.query.plans import Plan, ReadRequest, get_item
from chalicelib.query.reasons import explain, reasons
from chalicelib.settings import read as read_settings
from local import sample

KEYS_ONLY = {"ProjectionType": "KEYS_ONLY"}


def keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


# Orders by customer and date: a table with a sort key, one local index and two global ones.
ORDERS_TABLE: dict[str, Any] = {
    "TableName": "orders",
    "KeySchema": keys("customer", "date"),
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": kind}
        for name, kind in {"customer": "S", "date": "S", "total": "N", "state": "S"}.items()
    ],
    "LocalSecondaryIndexes": [
        {"IndexName": "by_total", "KeySchema": keys("customer", "total"), "Projection": KEYS_ONLY}
    ],
    "GlobalSecondaryIndexes": [
        {"IndexName": "state_date", "KeySchema": keys("state", "date"), "Projection": {"ProjectionType": "ALL"}},
        {"IndexName": "state_total", "KeySchema": keys("state", "total"), "Projection": {"ProjectionType": "ALL"}},
    ],
}


def asked(query: str, table: dict[str, Any] = ORDERS_TABLE, **settings: str) -> ReadRequest:
    environ = read_settings({"TABLE_NAME": table["TableName"], **settings})
    described = read(table)
    schema = access_of(environ, described.table.keys).schema(described)
    parameters = parse(parse_qs(query, keep_blank_values=True), schema, environ)
    return ReadRequest(schema, parameters, environ)


def planned(query: str, table: dict[str, Any] = ORDERS_TABLE, **settings: str) -> Plan:
    return plan_items(asked(query, table, **settings))


def reasons_of(query: str, table: dict[str, Any] = ORDERS_TABLE, **settings: str) -> list[str]:
    read = asked(query, table, **settings)
    return reasons(plan_items(read), read)


def refused(query: str, table: dict[str, Any] = ORDERS_TABLE, **settings: str) -> str:
    with pytest.raises(Problem) as error:
        planned(query, table, **settings)
    assert error.value.status == 400
    return error.value.detail


@pytest.mark.parametrize(
    ("query", "plan"),
    [
        ("", "Scan"),
        ("customer=a", "Query"),
        ("customer=a&date=b", "Query"),
        ("customer__in=a", "Scan"),
        ("customer__not=a", "Scan"),
        ("customer=a&total__gt=5", "Query index=by_total"),
        ("customer=a&total__gt=5&date=b", "Query"),
        ("customer=a&_sort=total", "Query index=by_total"),
        ("customer=a&_sort=-date", "Query"),
        ("state=paid", "Query index=state_date"),
        ("state=paid&total=5", "Query index=state_total"),
        ("state=paid&total__not=5", "Query index=state_date"),
        ("state=paid&total__exists=false", "Query index=state_date"),
        ("state=paid&_sort=-total", "Query index=state_total"),
        ("state=paid&_consistent=true", "Scan"),
        ("state=paid&customer=a", "Query"),
        ("state=paid&customer=a&total__lt=5", "Query index=by_total"),
        ("_index=state_total", "Scan index=state_total"),
        ("state=paid&_index=state_total", "Query index=state_total"),
    ],
)
def test_the_better_of_those_that_are_right_is_taken(query: str, plan: str) -> None:
    assert str(planned(query)) == plan


def test_an_index_that_may_lack_items_is_used_where_its_owner_says_it_does_not() -> None:
    quakes = sample.TABLE
    assert str(planned("net=us", quakes)) == "Scan"
    assert str(planned("net=us", quakes, DENSE_INDEXES="by_net")) == "Query index=by_net"
    assert str(planned("net=us", quakes, DENSE_INDEXES="*")) == "Query index=by_net"
    assert (
        "by_net: not used: it lacks items without time, which may match "
        "(if every item has it, set DENSE_INDEXES=by_net); nothing else prevents its use"
    ) in reasons_of("net=us", quakes)


def test_an_index_is_used_where_it_covers_what_is_asked() -> None:
    assert str(planned("alert=green&mag__gt=1&_fields=place,time", sample.TABLE)) == "Query index=by_alert"
    lacking = "alert=green&mag__gt=1&_fields=place,gap"
    assert str(planned(lacking, sample.TABLE)) == "Scan"
    assert "by_alert: not used: it does not project gap" in reasons_of(lacking, sample.TABLE)
    filtered = "alert=green&mag__gt=1&_fields=place&gap=5"
    assert "by_alert: not used: it does not project gap" in reasons_of(filtered, sample.TABLE)
    whole = "alert=green&mag__gt=1"
    assert any(
        "it projects only alert, idx, mag" in reason and "name the _fields" in reason
        for reason in reasons_of(whole, sample.TABLE)
    )
    assert str(planned("alert=green&mag__gt=1", sample.TABLE, ATTRIBUTES="alert,mag")) == "Query index=by_alert"


def test_what_a_local_index_does_not_hold_is_fetched_and_tested_here() -> None:
    plan = planned("customer=a&total__gt=5&note=x&date__not=b")
    assert plan.request["Select"] == "ALL_ATTRIBUTES"
    assert "FilterExpression" not in plan.request
    assert [str(condition) for condition in plan.residual_conditions] == ["note=x", "date__not=b"]
    assert plan.filtered
    assert plan.request["ConsistentRead"] is True


@pytest.mark.parametrize(
    ("query", "condition", "residual"),
    [
        ("date=b", "#n0 = :v0 AND #n1 = :v1", []),
        ("date__gte=b&date__lte=c", "#n0 = :v0 AND #n1 BETWEEN :v1 AND :v2", []),
        ("date__gt=b&date__lt=c", "#n0 = :v0 AND #n1 BETWEEN :v1 AND :v2", ["date__gt=b", "date__lt=c"]),
        ("date__gte=c&date__lte=b", "#n0 = :v0 AND #n1 >= :v1", ["date__lte=b"]),
        ("date__lt=c", "#n0 = :v0 AND #n1 < :v1", []),
        ("date__startswith=b&date__gte=b", "#n0 = :v0 AND begins_with(#n1, :v1)", ["date__gte=b"]),
        ("date__between=a,b&date__lt=b", "#n0 = :v0 AND #n1 BETWEEN :v1 AND :v2", ["date__lt=b"]),
        ("date__not=b", "#n0 = :v0", ["date__not=b"]),
        ("date__in=b,c", "#n0 = :v0", ["date__in=b,c"]),
        ("customer__startswith=a", "#n0 = :v0", ["customer__startswith=a"]),
    ],
)
def test_one_sort_key_condition_is_pushed_and_the_rest_tested_here(
    query: str, condition: str, residual: list[str]
) -> None:
    plan = planned(f"customer=a&{query}")
    assert plan.request["KeyConditionExpression"] == condition
    assert [str(leftover) for leftover in plan.residual_conditions] == residual


def test_fields_come_with_the_keys_that_a_cursor_needs_and_without_overlaps() -> None:
    plan = planned("state=paid&_fields=note,note.by,total")
    names = plan.request["ExpressionAttributeNames"]
    projected = [names[name] for name in plan.request["ProjectionExpression"].split(", ")]
    assert projected == ["note", "total", "customer", "date", "state"]
    assert plan.internal_attributes == {"customer", "date", "state"}


def test_only_what_is_published_is_read() -> None:
    plan = planned("", ATTRIBUTES="note")
    names = plan.request["ExpressionAttributeNames"]
    assert sorted(names.values()) == ["customer", "date", "note"]
    assert plan.internal_attributes == frozenset()
    # The order of an index would reveal the hidden values of its key.
    assert str(planned("customer=a&_sort=date", ATTRIBUTES="note")) == "Query"
    assert "Sortable here: date." in refused("customer=a&_sort=total", ATTRIBUTES="note")


def test_a_forced_index_answers_with_what_it_holds() -> None:
    plan = planned("customer=a&_index=by_total")
    names = plan.request["ExpressionAttributeNames"]
    assert {names[name] for name in plan.request["ProjectionExpression"].split(", ")} == {"customer", "date", "total"}
    assert "_index names it" in reasons_of("customer=a&_index=by_total")[0]
    fields = planned("customer=a&_index=by_total&_fields=total,note")
    assert "note" not in fields.request["ExpressionAttributeNames"].values()


def test_a_forced_index_that_cannot_answer_says_why() -> None:
    detail = refused("_index=by_total&note=x")
    assert detail == "by_total cannot filter by note. It projects customer, date, total."
    assert "by_total projects none of the _fields. It projects customer, date, total." in refused(
        "_index=by_total&_fields=note"
    )
    assert "state_date is a global index and cannot read consistently. Remove _consistent or _index." in refused(
        "_index=state_date&_consistent=true"
    )
    assert "cannot be sorted. the table sorts by date if an equality fixes customer." in refused(
        "_index=state_date&_sort=date"
    )


def test_a_sort_that_cannot_be_names_those_that_can() -> None:
    assert refused("customer=a&_sort=note") == (
        "Cannot sort by 'note'. Sortable here: date, total. "
        "state_date sorts by date if an equality fixes state. "
        "state_total sorts by total if an equality fixes state."
    )
    assert refused("_sort=time", sample.TABLE) == (
        "Cannot sort by 'time'. This request cannot be sorted. by_net sorts by time if an equality fixes net."
    )
    assert "by_alert sorts by mag, but it projects only alert, idx, mag" in refused("alert=a&_sort=mag", sample.TABLE)
    assert "state_date sorts by date, but _index names another." in refused("state=paid&_index=state_total&_sort=date")
    assert "Sortable here: total." in refused("state=paid&_index=state_total&_sort=date")


def test_a_scan_that_is_not_allowed_names_what_can_be_queried() -> None:
    detail = refused("note=x", SCAN="deny")
    assert "SCAN=deny" in detail
    assert detail.endswith(
        "Add an equality on customer, or on customer with a condition on total, or on state, "
        "or on state with a condition on total."
    )
    assert str(planned("customer=a", SCAN="deny")) == "Query"
    assert "SCAN=deny" in refused("_index=state_date", SCAN="deny")
    detail = refused("net=us", sample.TABLE, SCAN="deny")
    assert "by_net is not used: it lacks items without time" in detail
    assert (
        "Add an equality on idx, or on magType with a condition on mag, or on alert with a condition on mag." in detail
    )
    assert reasons_of("net=us&_explain=true", sample.TABLE, SCAN="deny")[0] == "SCAN=deny refuses this request"


def test_one_key_that_may_not_answer_says_why() -> None:
    table = {**ORDERS_TABLE, "LocalSecondaryIndexes": [], "GlobalSecondaryIndexes": []}
    assert refused("note=x", table, SCAN="deny").endswith("Add an equality on customer.")


def test_what_does_not_sort_as_asked_says_so() -> None:
    why = reasons_of("customer=a&_sort=-total")
    assert why[0] == "by_total: used: customer=a fixes its partition; it sorts by total"
    assert "the table: not used: it does not sort by total" in why


def test_what_is_read_whole_to_be_tested_goes_out_as_narrow_as_asked() -> None:
    plan = planned("customer=a&_sort=total&note.by=x&_fields=note.on,total")
    assert str(plan) == "Query index=by_total"
    assert plan.returned_paths == {"note": (("on",),)}
    assert planned("customer=a&_sort=total&note.by=x&_fields=note,note.on").returned_paths == {}


def test_too_much_for_one_expression_is_refused() -> None:
    many = "&".join(f"a{number}=x" for number in range(400))
    assert "DynamoDB takes 4096 and 300. Use fewer conditions" in refused(many)
    assert str(planned("a=" + "x" * 4096)) == "Scan"
    assert str(planned("a__in=" + ",".join(map(str, range(300))))) == "Scan"
    assert "has 5" in refused("_fields=" + ",".join(f"a{number}" for number in range(800)))


def test_a_plan_explains_itself() -> None:
    read = asked("state=paid&total__gte=5&note=x&state__not=lost")
    explained = explain(plan_items(read), read)
    assert explained["plan"] == "Query index=state_total"
    assert explained["residual"] == ["state__not=lost"]
    assert explained["reasons"][0] == (
        "state_total: used: state=paid fixes its partition; total__gte=5 narrows its sort key"
    )
    assert "state_date: not used: state_total is at least as good" in explained["reasons"]
    assert explained["request"] == {
        "TableName": "orders",
        "IndexName": "state_total",
        "KeyConditionExpression": "#n0 = :v0 AND #n1 >= :v1",
        "ScanIndexForward": True,
        "FilterExpression": "#n2 = :v2",
        "ExpressionAttributeNames": {"#n0": "state", "#n1": "total", "#n2": "note"},
        "ExpressionAttributeValues": {":v0": {"S": "paid"}, ":v1": {"N": "5"}, ":v2": {"S": "x"}},
    }


def test_the_same_read_has_the_same_identity_and_another_has_another() -> None:
    query = "state=paid&total__gte=5&note=x"
    one = planned(query).identity
    assert planned(f"{query}&_limit=5&_numbers=number&_fields=note").identity == one
    others = [
        "state=paid&total__gte=6&note=x",
        "state=paid&total__gte=5&nose=x",
        "state=paid&total__gte=5&note__not=x",
        "state=paid&total__gt=5&note=x",
        f"{query}&_sort=-total",
        f"{query}&state__not=lost",
        f"{query}&customer=a",
    ]
    assert len({one, *(planned(other).identity for other in others)}) == 8


def test_an_item_is_read_by_its_whole_key() -> None:
    environ = read_settings({"TABLE_NAME": "orders", "CONSISTENT_READS": "false"})
    schema = read(ORDERS_TABLE)
    key = {"customer": ("S", "a"), "date": ("S", "b")}
    plan = get_item(key, ReadRequest(schema, parse_item({"_fields": ["note"]}, schema, environ), environ))
    assert plan.request == {
        "TableName": "orders",
        "Key": {"customer": {"S": "a"}, "date": {"S": "b"}},
        "ConsistentRead": False,
        "ProjectionExpression": "#n0",
        "ExpressionAttributeNames": {"#n0": "note"},
    }
    assert not plan.filtered
