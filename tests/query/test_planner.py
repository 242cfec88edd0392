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


def read_request(query: str, table: dict[str, Any] = ORDERS_TABLE, **settings: str) -> ReadRequest:
    app_settings = read_settings({"TABLE_NAME": table["TableName"], **settings})
    full_schema = read(table)
    schema = access_of(app_settings, full_schema.table.keys).schema(full_schema)
    parameters = parse(parse_qs(query, keep_blank_values=True), schema, app_settings)
    return ReadRequest(schema, parameters, app_settings)


def plan_for(query: str, table: dict[str, Any] = ORDERS_TABLE, **settings: str) -> Plan:
    return plan_items(read_request(query, table, **settings))


def reasons_for(query: str, table: dict[str, Any] = ORDERS_TABLE, **settings: str) -> list[str]:
    request = read_request(query, table, **settings)
    return reasons(plan_items(request), request)


def refusal_of(query: str, table: dict[str, Any] = ORDERS_TABLE, **settings: str) -> str:
    with pytest.raises(Problem) as error:
        plan_for(query, table, **settings)
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
def test_best_correct_plan_is_chosen(query: str, plan: str) -> None:
    assert str(plan_for(query)) == plan


def test_sparse_index_is_used_only_if_declared_dense() -> None:
    quakes = sample.TABLE
    assert str(plan_for("net=us", quakes)) == "Scan"
    assert str(plan_for("net=us", quakes, DENSE_INDEXES="by_net")) == "Query index=by_net"
    assert str(plan_for("net=us", quakes, DENSE_INDEXES="*")) == "Query index=by_net"
    assert (
        "by_net: not used: it lacks items without time, which may match "
        "(if every item has it, set DENSE_INDEXES=by_net); nothing else prevents its use"
    ) in reasons_for("net=us", quakes)


def test_index_is_used_only_if_it_projects_the_requested_attributes() -> None:
    assert str(plan_for("alert=green&mag__gt=1&_fields=place,time", sample.TABLE)) == "Query index=by_alert"
    unprojected_field = "alert=green&mag__gt=1&_fields=place,gap"
    assert str(plan_for(unprojected_field, sample.TABLE)) == "Scan"
    assert "by_alert: not used: it does not project gap" in reasons_for(unprojected_field, sample.TABLE)
    unprojected_filter = "alert=green&mag__gt=1&_fields=place&gap=5"
    assert "by_alert: not used: it does not project gap" in reasons_for(unprojected_filter, sample.TABLE)
    all_fields = "alert=green&mag__gt=1"
    assert any(
        "it projects only alert, idx, mag" in reason and "name the _fields" in reason
        for reason in reasons_for(all_fields, sample.TABLE)
    )
    assert str(plan_for("alert=green&mag__gt=1", sample.TABLE, ATTRIBUTES="alert,mag")) == "Query index=by_alert"


def test_condition_on_an_attribute_outside_a_local_index_is_residual() -> None:
    plan = plan_for("customer=a&total__gt=5&note=x&date__not=b")
    assert plan.request["Select"] == "ALL_ATTRIBUTES"
    assert "FilterExpression" not in plan.request
    assert [str(condition) for condition in plan.residual_conditions] == ["note=x", "date__not=b"]
    assert plan.filtered
    assert plan.request["ConsistentRead"] is True


@pytest.mark.parametrize(
    ("query", "key_condition", "residual"),
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
def test_one_sort_key_condition_is_pushed_and_the_rest_is_residual(
    query: str, key_condition: str, residual: list[str]
) -> None:
    plan = plan_for(f"customer=a&{query}")
    assert plan.request["KeyConditionExpression"] == key_condition
    assert [str(condition) for condition in plan.residual_conditions] == residual


def test_projection_has_the_cursors_keys_and_no_overlapping_paths() -> None:
    plan = plan_for("state=paid&_fields=note,note.by,total")
    names = plan.request["ExpressionAttributeNames"]
    projected = [names[name] for name in plan.request["ProjectionExpression"].split(", ")]
    assert projected == ["note", "total", "customer", "date", "state"]
    assert plan.internal_attributes == {"customer", "date", "state"}


def test_only_published_attributes_are_read() -> None:
    plan = plan_for("", ATTRIBUTES="note")
    names = plan.request["ExpressionAttributeNames"]
    assert sorted(names.values()) == ["customer", "date", "note"]
    assert plan.internal_attributes == frozenset()
    # The order of an index would reveal the hidden values of its key.
    assert str(plan_for("customer=a&_sort=date", ATTRIBUTES="note")) == "Query"
    assert "Sortable here: date." in refusal_of("customer=a&_sort=total", ATTRIBUTES="note")


def test_forced_index_returns_its_projected_attributes() -> None:
    plan = plan_for("customer=a&_index=by_total")
    names = plan.request["ExpressionAttributeNames"]
    assert {names[name] for name in plan.request["ProjectionExpression"].split(", ")} == {"customer", "date", "total"}
    assert "_index names it" in reasons_for("customer=a&_index=by_total")[0]
    fields = plan_for("customer=a&_index=by_total&_fields=total,note")
    assert "note" not in fields.request["ExpressionAttributeNames"].values()


def test_unusable_forced_index_is_a_400_with_the_reason() -> None:
    detail = refusal_of("_index=by_total&note=x")
    assert detail == "by_total cannot filter by note. It projects customer, date, total."
    assert "by_total projects none of the _fields. It projects customer, date, total." in refusal_of(
        "_index=by_total&_fields=note"
    )
    assert "state_date is a global index and cannot read consistently. Remove _consistent or _index." in refusal_of(
        "_index=state_date&_consistent=true"
    )
    assert "cannot be sorted. The table sorts by date if an equality fixes customer." in refusal_of(
        "_index=state_date&_sort=date"
    )


def test_unsupported_sort_is_a_400_that_lists_the_sortable_attributes() -> None:
    assert refusal_of("customer=a&_sort=note") == (
        "Cannot sort by 'note'. Sortable here: date, total. "
        "state_date sorts by date if an equality fixes state. "
        "state_total sorts by total if an equality fixes state."
    )
    assert refusal_of("_sort=time", sample.TABLE) == (
        "Cannot sort by 'time'. This request cannot be sorted. by_net sorts by time if an equality fixes net."
    )
    assert "by_alert sorts by mag, but it projects only alert, idx, mag" in refusal_of(
        "alert=a&_sort=mag", sample.TABLE
    )
    assert "state_date sorts by date, but _index names another." in refusal_of(
        "state=paid&_index=state_total&_sort=date"
    )
    assert "Sortable here: total." in refusal_of("state=paid&_index=state_total&_sort=date")


def test_denied_scan_is_a_400_that_lists_the_queryable_keys() -> None:
    detail = refusal_of("note=x", SCAN="deny")
    assert "SCAN=deny" in detail
    assert detail.endswith(
        "Add an equality on customer, or on customer with a condition on total, or on state, "
        "or on state with a condition on total."
    )
    assert str(plan_for("customer=a", SCAN="deny")) == "Query"
    assert "SCAN=deny" in refusal_of("_index=state_date", SCAN="deny")
    detail = refusal_of("net=us", sample.TABLE, SCAN="deny")
    assert "by_net is not used: it lacks items without time" in detail
    assert (
        "Add an equality on idx, or on magType with a condition on mag, or on alert with a condition on mag." in detail
    )
    assert reasons_for("net=us&_explain=true", sample.TABLE, SCAN="deny")[0] == "SCAN=deny refuses this request"


def test_denied_scan_without_indexes_suggests_the_partition_key() -> None:
    table = {**ORDERS_TABLE, "LocalSecondaryIndexes": [], "GlobalSecondaryIndexes": []}
    assert refusal_of("note=x", table, SCAN="deny").endswith("Add an equality on customer.")


def test_reasons_say_whether_an_index_has_the_requested_order() -> None:
    texts = reasons_for("customer=a&_sort=-total")
    assert texts[0] == "by_total: used: customer=a fixes its partition; it sorts by total"
    assert "the table's key: not used: it does not sort by total" in texts


def test_item_read_whole_for_residual_conditions_is_reduced_to_the_fields() -> None:
    plan = plan_for("customer=a&_sort=total&note.by=x&_fields=note.on,total")
    assert str(plan) == "Query index=by_total"
    assert plan.returned_paths == {"note": (("on",),)}
    assert plan_for("customer=a&_sort=total&note.by=x&_fields=note,note.on").returned_paths == {}


def test_expression_above_the_limits_of_dynamodb_is_a_400() -> None:
    conditions = "&".join(f"a{number}=x" for number in range(400))
    assert "DynamoDB takes 4096 and 300. Use fewer conditions" in refusal_of(conditions)
    assert str(plan_for("a=" + "x" * 4096)) == "Scan"
    assert str(plan_for("a__in=" + ",".join(map(str, range(300))))) == "Scan"
    assert "has 5" in refusal_of("_fields=" + ",".join(f"a{number}" for number in range(800)))


def test_explanation_has_the_plan_its_reasons_and_the_request() -> None:
    request = read_request("state=paid&total__gte=5&note=x&state__not=lost")
    explanation = explain(plan_items(request), request)
    assert explanation["plan"] == "Query index=state_total"
    assert explanation["residual"] == ["state__not=lost"]
    assert explanation["reasons"][0] == (
        "state_total: used: state=paid fixes its partition; total__gte=5 narrows its sort key"
    )
    assert "state_date: not used: state_total is at least as good" in explanation["reasons"]
    assert explanation["request"] == {
        "TableName": "orders",
        "IndexName": "state_total",
        "KeyConditionExpression": "#n0 = :v0 AND #n1 >= :v1",
        "ScanIndexForward": True,
        "FilterExpression": "#n2 = :v2",
        "ExpressionAttributeNames": {"#n0": "state", "#n1": "total", "#n2": "note"},
        "ExpressionAttributeValues": {":v0": {"S": "paid"}, ":v1": {"N": "5"}, ":v2": {"S": "x"}},
    }


def test_plan_identity_depends_only_on_the_read() -> None:
    query = "state=paid&total__gte=5&note=x"
    identity = plan_for(query).identity
    assert plan_for(f"{query}&_limit=5&_numbers=number&_fields=note").identity == identity
    other_queries = [
        "state=paid&total__gte=6&note=x",
        "state=paid&total__gte=5&nose=x",
        "state=paid&total__gte=5&note__not=x",
        "state=paid&total__gt=5&note=x",
        f"{query}&_sort=-total",
        f"{query}&state__not=lost",
        f"{query}&customer=a",
    ]
    assert len({identity, *(plan_for(other_query).identity for other_query in other_queries)}) == 8


def test_item_is_read_by_its_full_key() -> None:
    app_settings = read_settings({"TABLE_NAME": "orders", "CONSISTENT_READS": "false"})
    schema = read(ORDERS_TABLE)
    key = {"customer": ("S", "a"), "date": ("S", "b")}
    plan = get_item(key, ReadRequest(schema, parse_item({"_fields": ["note"]}, schema, app_settings), app_settings))
    assert plan.request == {
        "TableName": "orders",
        "Key": {"customer": {"S": "a"}, "date": {"S": "b"}},
        "ConsistentRead": False,
        "ProjectionExpression": "#n0",
        "ExpressionAttributeNames": {"#n0": "note"},
    }
    assert not plan.filtered


def test_forced_index_without_an_equality_is_explained_as_scanned() -> None:
    scanned = "state_total: scanned: _index names it, and no equality fixes state"
    assert reasons_for("_index=state_total") == ["no key or index fits: all items are read", scanned]
    denied = reasons_for("_index=state_total&_explain=true", SCAN="deny")
    assert denied == ["SCAN=deny refuses this request", scanned]
