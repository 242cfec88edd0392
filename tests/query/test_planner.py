from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest

from chalicelib.dynamodb.schema import read
from chalicelib.problems import Problem
from chalicelib.query.controls import parse
from chalicelib.query.planner import Plan, Question, plan_item, plan_items
from chalicelib.settings import read as read_settings
from local import sample

KEYS_ONLY = {"ProjectionType": "KEYS_ONLY"}


def keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


# A table with a sort key: what each customer ordered when, with a local index by total and two global ones.
ORDERS: dict[str, Any] = {
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


def planned(query: str, table: dict[str, Any] = ORDERS, **settings: str) -> Plan:
    environ = read_settings({"TABLE_NAME": table["TableName"], **settings})
    schema = read(table).published(environ.attributes)
    parameters = parse(parse_qs(query, keep_blank_values=True), schema, environ)
    return plan_items(Question(schema, parameters, environ))


def refused(query: str, table: dict[str, Any] = ORDERS, **settings: str) -> str:
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
        "by_net: not used: it holds only items that have time, and this request is for others too "
        "(DENSE_INDEXES=by_net would say that there are none); nothing else stands in its way"
    ) in planned("net=us", quakes).reasons


def test_an_index_is_used_where_it_covers_what_is_asked() -> None:
    assert str(planned("alert=green&mag__gt=1&_fields=place,time", sample.TABLE)) == "Query index=by_alert"
    lacking = planned("alert=green&mag__gt=1&_fields=place,gap", sample.TABLE)
    assert str(lacking) == "Scan"
    assert "by_alert: not used: it does not hold gap" in lacking.reasons
    filtered = planned("alert=green&mag__gt=1&_fields=place&gap=5", sample.TABLE)
    assert "by_alert: not used: it does not hold gap" in filtered.reasons
    whole = planned("alert=green&mag__gt=1", sample.TABLE)
    assert any("it holds only alert, idx, mag" in reason and "name the _fields" in reason for reason in whole.reasons)
    assert str(planned("alert=green&mag__gt=1", sample.TABLE, ATTRIBUTES="alert,mag")) == "Query index=by_alert"


def test_what_a_local_index_does_not_hold_is_fetched_and_tested_here() -> None:
    plan = planned("customer=a&total__gt=5&note=x&date__not=b")
    assert plan.request["Select"] == "ALL_ATTRIBUTES"
    assert "FilterExpression" not in plan.request
    assert [str(condition) for condition in plan.leftovers] == ["note=x", "date__not=b"]
    assert plan.filtered
    assert plan.request["ConsistentRead"] is True


@pytest.mark.parametrize(
    ("query", "condition", "leftovers"),
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
    query: str, condition: str, leftovers: list[str]
) -> None:
    plan = planned(f"customer=a&{query}")
    assert plan.request["KeyConditionExpression"] == condition
    assert [str(leftover) for leftover in plan.leftovers] == leftovers


def test_fields_come_with_the_keys_that_a_cursor_needs_and_without_overlaps() -> None:
    plan = planned("state=paid&_fields=note,note.by,total")
    names = plan.request["ExpressionAttributeNames"]
    projected = [names[name] for name in plan.request["ProjectionExpression"].split(", ")]
    assert projected == ["note", "total", "customer", "date", "state"]
    assert plan.strip == {"customer", "date", "state"}


def test_only_what_is_published_is_read() -> None:
    plan = planned("", ATTRIBUTES="note")
    names = plan.request["ExpressionAttributeNames"]
    assert sorted(names.values()) == ["customer", "date", "note"]
    assert plan.strip == frozenset()
    # An index whose key is kept in would tell of it by its order.
    assert str(planned("customer=a&_sort=date", ATTRIBUTES="note")) == "Query"
    assert "it could have _sort=date" in refused("customer=a&_sort=total", ATTRIBUTES="note")


def test_a_forced_index_answers_with_what_it_holds() -> None:
    plan = planned("customer=a&_index=by_total")
    names = plan.request["ExpressionAttributeNames"]
    assert {names[name] for name in plan.request["ProjectionExpression"].split(", ")} == {"customer", "date", "total"}
    assert "_index asks for it" in plan.reasons[0]
    fields = planned("customer=a&_index=by_total&_fields=total,note")
    assert "note" not in fields.request["ExpressionAttributeNames"].values()


def test_a_forced_index_that_cannot_answer_says_why() -> None:
    detail = refused("_index=by_total&note=x")
    assert detail == "by_total does not hold note, so it cannot filter by it: it holds customer, date, total."
    assert "by_total holds none of the fields asked for" in refused("_index=by_total&_fields=note")
    assert "global index, which has no consistent reads" in refused("_index=state_date&_consistent=true")
    assert "cannot be sorted. the table sorts by date where customer is" in refused("_index=state_date&_sort=date")


def test_a_sort_that_cannot_be_names_those_that_can() -> None:
    assert refused("customer=a&_sort=note") == (
        "_sort is 'note', which is no order this request could have: it could have _sort=date, total. "
        "state_date sorts by date where state is fixed by an equality. "
        "state_total sorts by total where state is fixed by an equality."
    )
    assert refused("_sort=time", sample.TABLE) == (
        "_sort is 'time', which is no order this request could have: it cannot be sorted. "
        "by_net sorts by time where net is fixed by an equality."
    )
    assert "by_alert sorts by mag, but it holds only alert, idx, mag" in refused("alert=a&_sort=mag", sample.TABLE)
    assert "state_date sorts by date, but _index asks for another." in refused(
        "state=paid&_index=state_total&_sort=date"
    )
    assert "it could have _sort=total." in refused("state=paid&_index=state_total&_sort=date")


def test_a_scan_that_is_not_allowed_names_what_can_be_queried() -> None:
    detail = refused("note=x", SCAN="deny")
    assert "SCAN=deny" in detail
    assert detail.endswith("one value of customer or of customer, with total or of state or of state, with total.")
    assert str(planned("customer=a", SCAN="deny")) == "Query"
    assert "SCAN=deny" in refused("_index=state_date", SCAN="deny")
    detail = refused("net=us", sample.TABLE, SCAN="deny")
    assert "by_net is not used: it holds only items that have time" in detail
    assert "one value of idx or of magType, with mag or of alert, with mag." in detail
    assert planned("net=us&_explain=true", sample.TABLE, SCAN="deny").reasons[0] == "SCAN=deny: this is refused"


def test_one_key_that_may_not_answer_says_why() -> None:
    table = {**ORDERS, "LocalSecondaryIndexes": [], "GlobalSecondaryIndexes": []}
    assert refused("note=x", table, SCAN="deny").endswith("one value of customer.")


def test_what_does_not_sort_as_asked_says_so() -> None:
    reasons = planned("customer=a&_sort=-total").reasons
    assert reasons[0] == "by_total: used: customer=a fixes its partition; it sorts by total"
    assert "the table: not used: it does not sort by total" in reasons


def test_what_is_read_whole_to_be_tested_goes_out_as_narrow_as_asked() -> None:
    plan = planned("customer=a&_sort=total&note.by=x&_fields=note.on,total")
    assert str(plan) == "Query index=by_total"
    assert plan.narrow == {"note": (("on",),)}
    assert planned("customer=a&_sort=total&note.by=x&_fields=note,note.on").narrow == {}


def test_too_much_for_one_expression_is_refused() -> None:
    many = "&".join(f"a{number}=x" for number in range(400))
    assert "DynamoDB takes 4096 and 300. Ask with fewer conditions" in refused(many)
    assert str(planned("a=" + "x" * 4096)) == "Scan"
    assert str(planned("a__in=" + ",".join(map(str, range(300))))) == "Scan"
    assert "has 5" in refused("_fields=" + ",".join(f"a{number}" for number in range(800)))


def test_a_plan_explains_itself() -> None:
    explained = planned("state=paid&total__gte=5&note=x&state__not=lost").explain()
    assert explained["plan"] == "Query index=state_total"
    assert explained["in_code"] == ["state__not=lost"]
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
    asked = "state=paid&total__gte=5&note=x"
    one = planned(asked).identity
    assert planned(f"{asked}&_limit=5&_numbers=number&_fields=note").identity == one
    others = [
        "state=paid&total__gte=6&note=x",
        "state=paid&total__gte=5&nose=x",
        "state=paid&total__gte=5&note__not=x",
        "state=paid&total__gt=5&note=x",
        f"{asked}&_sort=-total",
        f"{asked}&state__not=lost",
        f"{asked}&customer=a",
    ]
    assert len({one, *(planned(other).identity for other in others)}) == 8


def test_an_item_is_read_by_its_whole_key() -> None:
    environ = read_settings({"TABLE_NAME": "orders", "CONSISTENT_READS": "false"})
    schema = read(ORDERS)
    key = {"customer": ("S", "a"), "date": ("S", "b")}
    plan = plan_item(key, Question(schema, parse({"_fields": ["note"]}, schema, environ, of_item=True), environ))
    assert plan.request == {
        "TableName": "orders",
        "Key": {"customer": {"S": "a"}, "date": {"S": "b"}},
        "ConsistentRead": False,
        "ProjectionExpression": "#n0",
        "ExpressionAttributeNames": {"#n0": "note"},
    }
    assert not plan.filtered
