"""aiodynamo over aiohttp, its loop kept between requests."""

import asyncio
import json
import os
from functools import reduce
from operator import and_

from aiodynamo.client import Client
from aiodynamo.credentials import Credentials
from aiodynamo.errors import ItemNotFound
from aiodynamo.expressions import F
from aiodynamo.http.aiohttp import AIOHTTP
from aiohttp import ClientSession
from yarl import URL

loop = asyncio.new_event_loop()


async def connect():
    endpoint = os.environ.get("AWS_ENDPOINT_URL_DYNAMODB")
    client = Client(
        AIOHTTP(ClientSession()),
        Credentials.auto(),
        os.environ["AWS_DEFAULT_REGION"],
        endpoint=URL(endpoint) if endpoint else None,
    )
    return client.table(os.environ["TABLE_NAME"])


table = loop.run_until_complete(connect())


async def get(key):
    try:
        return 200, await table.get_item({"idx": key})
    except ItemNotFound:
        return 404, {"message": "Not Found"}


async def scan(limit, filters):
    condition = reduce(and_, [F(name).equals(value) for name, value in filters.items()]) if filters else None
    items, following = [], None
    while True:
        page = await table.scan_single_page(
            limit=None if filters else limit, start_key=following, filter_expression=condition
        )
        items += page.items
        following = page.last_evaluated_key
        if not following or len(items) >= limit:
            return 200, {"items": items[:limit], "count": len(items[:limit]), "next": following}


def handler(event, context):
    key = (event["pathParameters"] or {}).get("partition")
    query = dict(event["queryStringParameters"] or {})
    limit = int(query.pop("_limit", 100))
    status, body = loop.run_until_complete(get(key) if key else scan(limit, query))
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"},
        "body": json.dumps(body, default=list),
    }
