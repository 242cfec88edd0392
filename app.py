"""Tablecast: one DynamoDB table as a live, read-only JSON API. The way of a request goes on in chalicelib/api.py, that
of a change in chalicelib/feed.py."""

import gc
from collections.abc import Callable
from typing import Any

from chalice import Chalice, Response
from chalice.app import DynamoDBEvent

from chalicelib import settings
from chalicelib.changes.records import changes_of
from chalicelib.dynamodb.client import DynamoDB
from chalicelib.dynamodb.endpoint import connect
from chalicelib.web.api import Api, chalice_error, cors

SETTINGS = settings.load()
API = Api(SETTINGS, DynamoDB(connect(settings.environment())))
CORS = cors(SETTINGS)

app = Chalice(app_name="tablecast")
# All answers are text: Chalice need not look for those that are not.
app.api.binary_types = []


@app.middleware("http")
def errors_are_problems(event: Any, get_response: Callable[[Any], Response]) -> Response:
    return chalice_error(get_response(event), SETTINGS)


@app.route("/", cors=CORS)
def root() -> Response:
    return API.root(app.current_request)


@app.route("/items", cors=CORS)
def items() -> Response:
    return API.items(app.current_request)


@app.route("/items/{partition}", cors=CORS)
def partition(partition: str) -> Response:
    return API.partition(app.current_request, partition)


@app.route("/items/{partition}/{sort}", cors=CORS)
def item(partition: str, sort: str) -> Response:
    return API.item(app.current_request, partition, sort)


@app.route("/changes", cors=CORS)
def changes() -> Response:
    return API.changes(app.current_request)


@app.route("/openapi.json", cors=CORS)
def openapi() -> Response:
    return API.openapi(app.current_request)


if API.feed and SETTINGS.stream_arn:
    FEED = API.feed

    # LATEST can miss what is written while the event source is being made; what comes twice, the feed knows.
    @app.on_dynamodb_record(SETTINGS.stream_arn, batch_size=1000, starting_position="TRIM_HORIZON")
    def on_change(event: DynamoDBEvent) -> None:
        FEED.append(changes_of(event.to_dict(), SETTINGS))


# What is here by now stays as long as the function does: the collector need not go through it for every page.
gc.freeze()
