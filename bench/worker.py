"""One contender in a process of its own: takes rounds on stdin, gives their figures on stdout, a JSON line each.

A request is what Lambda makes of one: API Gateway's event in, the proxy response out. A batch is one of a stream's.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import uuid
from typing import Any

from bench import stub

HANDLERS = {"tablecast": ("app", "app"), "usual": ("bench.usual", "handler")}

Ask = tuple[str, dict[str, str], dict[str, str]]  # a resource, its path's parameters, its query


class Context:
    aws_request_id = "bench"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def request(asked: Ask, tag: str | None = None) -> dict[str, Any]:
    resource, parameters, query = asked
    headers = {"Accept": "*/*", "Host": "example.execute-api.us-east-1.amazonaws.com"}
    return {
        "resource": resource,
        "path": resource.format(**parameters),
        "httpMethod": "GET",
        "headers": {**headers, "If-None-Match": tag} if tag else headers,
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {"resourcePath": resource, "httpMethod": "GET", "path": resource, "stage": "api"},
        "body": None,
        "isBase64Encoded": False,
    }


def batch(records: int) -> dict[str, Any]:
    """A batch as a stream of both images has it: quakes of another magnitude, which no batch had before."""
    quakes = stub.items(records * 2000)[:records]
    return {
        "Records": [
            {
                "eventID": uuid.uuid4().hex,
                "eventName": "MODIFY",
                "eventSourceARN": stub.STREAM_ARN,
                "dynamodb": {
                    "ApproximateCreationDateTime": int(time.time()),
                    "Keys": {"idx": quake["idx"]},
                    "NewImage": {**quake, "mag": {"N": "5.5"}},
                    "OldImage": quake,
                },
            }
            for quake in quakes
        ]
    }


def measure(handler: Any, events: list[dict[str, Any]]) -> tuple[dict[str, float], Any]:
    """CPU and wall time of one event, in seconds, and what the last was answered."""
    cpu, wall = time.process_time(), time.perf_counter()
    for event in events:
        answer = handler(event, Context())
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"cpu": cpu / len(events), "wall": wall / len(events)}, answer


def asked_for(handler: Any, asked: dict[str, Any]) -> dict[str, float]:
    event = request(asked["event"])
    if asked["revalidate"]:
        event = request(asked["event"], handler(event, Context())["headers"]["ETag"])
    figures, answer = measure(handler, [event] * asked["times"])
    if answer["statusCode"] != (304 if asked["revalidate"] else 200):
        raise SystemExit(f"{answer['statusCode']}: {answer['body']}")
    count = json.loads(answer["body"]).get("count", 1) if answer["body"] else 0
    return {**figures, "count": count, "units": float(answer["headers"].get("X-Consumed-Capacity", "nan"))}


def main() -> None:
    name, handler = HANDLERS[sys.argv[1]]
    module = importlib.import_module(name)
    for line in sys.stdin:
        asked = json.loads(line)
        if "batch" in asked:
            figures, _ = measure(module.on_change, [batch(asked["batch"]) for _ in range(asked["times"])])
            figures |= {"count": asked["batch"], "units": 0.0}
        else:
            figures = asked_for(getattr(module, handler), asked)
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
