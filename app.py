"""Tablecast: one DynamoDB table as a live, read-only JSON API.

A request continues in chalicelib/web/api.py, a change of the table in chalicelib/changes/writer.py.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chalice import Chalice, Response
from chalice.app import DynamoDBEvent

from chalicelib import settings
from chalicelib.dynamodb.client import DynamoDB
from chalicelib.dynamodb.endpoint import connect
from chalicelib.web.api import Api
from chalicelib.web.responses import chalice_error, cors

if TYPE_CHECKING:
    from chalicelib.changes.writer import FeedWriter

SETTINGS = settings.load()
DYNAMODB = DynamoDB(connect(settings.environment()))
API = Api(SETTINGS, DYNAMODB)
CORS = cors(SETTINGS)

app = Chalice(app_name="tablecast")
# All answers are text: Chalice need not look for binary ones.
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


@functools.cache
def feed_writer() -> FeedWriter:
    from chalicelib.changes.writer import FeedWriter  # The function that answers requests never files a change.

    return FeedWriter(SETTINGS, DYNAMODB)


if SETTINGS.feed_table and SETTINGS.stream_arn:
    # LATEST can miss changes made while the event source is being created; the feed files no change twice.
    @app.on_dynamodb_record(SETTINGS.stream_arn, batch_size=1000, starting_position="TRIM_HORIZON")
    def on_change(event: DynamoDBEvent) -> None:
        feed_writer().append(event.to_dict())


# These objects live as long as the function: the collector need not visit them for every page.
gc.freeze()
