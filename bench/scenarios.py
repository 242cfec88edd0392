"""Contenders, scenarios and goals of the bench."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench import stub
from bench.events import STREAM_ARN, Request

ROUNDS, FRESH_ROUNDS = 25, 9
QUICK_ROUNDS, QUICK_FRESH_ROUNDS = 3, 2
SIZES = (1_000, 100_000)
QUICK_SIZES = (1_000, 10_000)

OURS, USUAL, FLOOR = "tablecast", "usual", "floor"


@dataclass(frozen=True)
class Contender:
    """A handler: `entry` of `module`, in a process with `environ` added. Contenders of one `name` share a row."""

    name: str
    module: str
    entry: str = "handler"
    environ: Mapping[str, str] = field(default_factory=dict)


# FRESHNESS_SECONDS=0: each request reads the feed's head. MAX_STALE_SECONDS: longer than a round.
FEED_SETTINGS = {
    "FEED_TABLE": stub.FEED_TABLE,
    "STREAM_ARN": STREAM_ARN,
    "FRESHNESS_SECONDS": "0",
    "MAX_STALE_SECONDS": "86400",
}

CONTENDERS = {
    "tablecast": Contender(OURS, "app", "app"),
    "with a feed": Contender(OURS, "app", "app", FEED_SETTINGS),
    "on_change": Contender(OURS, "app", "on_change", FEED_SETTINGS),
    "usual": Contender(USUAL, "usual"),
    "chalice": Contender("chalice", "in_chalice", "app"),
    "client": Contender("client", "client"),
    "pynamodb": Contender("pynamodb", "in_pynamodb", "app"),
    "powertools": Contender("powertools", "in_powertools"),
    "fastapi": Contender("fastapi", "in_fastapi"),
    "aiodynamo": Contender("aiodynamo", "in_aiodynamo"),
    "floor": Contender(FLOOR, "floor"),
    "trigger": Contender(USUAL, "trigger", environ={"FEED_TABLE": stub.FEED_TABLE}),
}
DESCRIPTIONS = {
    OURS: "this project's zip, built by `make package`",
    USUAL: "the usual handler: boto3's resource, without a framework",
    "chalice": "boto3's resource in Chalice",
    "client": "boto3's client and its TypeDeserializer, without a framework",
    "pynamodb": "a PynamoDB model in Chalice; numbers as floats, its default",
    "powertools": "Powertools' APIGatewayRestResolver over boto3's resource",
    "fastapi": "FastAPI behind Mangum over boto3's resource",
    "aiodynamo": "aiodynamo over aiohttp, without a framework; numbers as floats, its default",
    FLOOR: "the lower bound: DynamoDB over a bare socket, unsigned, and orjson's loads and dumps of the same bytes",
}
READ_CONTENDERS = ("tablecast", "usual", "chalice", "client", "pynamodb", "powertools", "fastapi", "aiodynamo", "floor")


@dataclass(frozen=True)
class Scenario:
    """A request that each of `contenders` answers with `items` items, or a batch of so many records, `times` per round.

    `revalidate`: the client sends the ETag of the current answer. `peer_scenario`: where peers without such a feature
    are measured instead.
    """

    name: str
    request: Request | int
    times: int
    items: int
    contenders: tuple[str, ...] = READ_CONTENDERS
    revalidate: bool = False
    peer_scenario: str | None = None


LOOKUP: Request = ("/items/{partition}", {"partition": stub.page()[0]["idx"]["S"]}, {})
HUNDRED: Request = ("/items", {}, {"_limit": "100"})
LARGE: Request = ("/items", {}, {"_limit": str(len(stub.page()))})

LARGE_PAGE = Scenario("page of 1 MB", LARGE, 1, len(stub.page()))
COLD = Scenario("cold start", LOOKUP, 1, 1)
WARM = (
    Scenario("one-item lookup", LOOKUP, 40, 1),
    Scenario("page of 100", HUNDRED, 8, 100),
    LARGE_PAGE,
    Scenario("filtered page", ("/items", {}, {stub.FILTER[0]: stub.FILTER[1], "_limit": "100"}), 4, 100),
    Scenario("unchanged page, 304", LARGE, 20, 0, ("with a feed",), True, LARGE_PAGE.name),
    Scenario("unchanged page, kept", LARGE, 20, len(stub.page()), ("with a feed",), peer_scenario=LARGE_PAGE.name),
    Scenario("batch of 1", 1, 20, 1, ("on_change", "trigger")),
    Scenario("batch of 100", 100, 3, 100, ("on_change", "trigger")),
    Scenario("batch of 1,000", 1000, 1, 1000, ("on_change", "trigger")),
)

# Measured on tables of each size in the embedded DynamoDB.
GROWTH = (
    Scenario("lookup, by size", ("/items/{partition}", {"partition": "0000500"}, {}), 20, 1, ("tablecast",)),
    Scenario("page of 100, by size", HUNDRED, 5, 100, ("tablecast",)),
    Scenario(
        "latest 100 of an index, by size",
        ("/items", {}, {"net": "us", "_sort": "-time", "_limit": "100"}),
        5,
        100,
        ("tablecast",),
    ),
)

SCENARIOS = {scenario.name: scenario for scenario in (COLD, *WARM, *GROWTH)}

BEST_PEER, LARGEST, SMALLEST = "the best peer", "the largest table", "the smallest table"


@dataclass(frozen=True)
class Goal:
    """An upper `limit` of `figure` of `contender` in `scenario`, or of its ratio to that of `baseline`."""

    scenario: str
    figure: str
    limit: float
    baseline: str | None = None
    contender: str = OURS


GOALS = (
    Goal("cold start", "cpu_ms", 0.5, "chalice"),
    *(
        goal
        for baseline in (USUAL, BEST_PEER)
        for goal in (
            Goal("one-item lookup", "cpu_ms", 0.5, baseline),
            Goal("page of 100", "cpu_ms", 0.25, baseline),
            Goal("page of 1 MB", "cpu_ms", 0.14, baseline),
            Goal("unchanged page, 304", "cpu_ms", 0.01, baseline),
            Goal("unchanged page, kept", "cpu_ms", 0.01, baseline),
        )
    ),
    Goal("page of 1 MB", "cpu_ms", 1.3, FLOOR),
    Goal("page of 1 MB", "peak_mb", 90.0),
    Goal("batch of 1,000", "cpu_ms", 50.0),  # 20,000 records a second.
    *(
        Goal(scenario.name, figure, limit, SMALLEST, contender=LARGEST)
        for scenario in GROWTH
        for figure, limit in (("cpu_ms", 1.1), ("read_units", 1.0))
    ),
)
