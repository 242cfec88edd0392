"""Tablecast: one DynamoDB table as a live, read-only JSON API. The way of a request goes on in chalicelib/api.py."""

from collections.abc import Callable
from typing import Any

from chalice import Chalice, Response

from chalicelib import settings
from chalicelib.api import Api, chalice_error, cors
from chalicelib.table import Table

SETTINGS = settings.load()
API = Api(SETTINGS, Table(SETTINGS))
CORS = cors(SETTINGS)

app = Chalice(app_name="tablecast")


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
