"""One contender in a process of its own: takes rounds on stdin, gives their figures on stdout, a JSON line each.

A request is what Lambda makes of one: API Gateway's event in, the proxy response out.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any

MODULES = {"tablecast": ("app", "app"), "usual": ("bench.usual", "handler")}


class Context:
    aws_request_id = "bench"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def event(resource: str, parameters: dict[str, str], query: dict[str, str]) -> dict[str, Any]:
    return {
        "resource": resource,
        "path": resource.format(**parameters),
        "httpMethod": "GET",
        "headers": {"Accept": "*/*", "Host": "example.execute-api.us-east-1.amazonaws.com"},
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {"resourcePath": resource, "httpMethod": "GET", "path": resource, "stage": "api"},
        "body": None,
        "isBase64Encoded": False,
    }


def measure(handler: Any, request: dict[str, Any], times: int) -> dict[str, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        response = handler(request, Context())
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    if response["statusCode"] != 200:
        raise SystemExit(response["body"])
    return {"cpu": cpu / times, "wall": wall / times, "count": json.loads(response["body"]).get("count", 1)}


def main() -> None:
    module, name = MODULES[sys.argv[1]]
    handler = getattr(importlib.import_module(module), name)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(measure(handler, event(*asked["event"]), asked["times"])), flush=True)


if __name__ == "__main__":
    main()
