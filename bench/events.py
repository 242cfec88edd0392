"""Events as Lambda passes them to a handler: of a REST API, and of a stream."""

from __future__ import annotations

import time
import uuid
from typing import Any

from bench import stub

STREAM_ARN = f"arn:aws:dynamodb:us-east-1:123456789012:table/{stub.TABLE}/stream/bench"

Request = tuple[str, dict[str, str], dict[str, str]]  # resource, path parameters, query parameters


def api_event(request: Request, etag: str | None = None) -> dict[str, Any]:
    """Return API Gateway's event of a GET, with If-None-Match if `etag` is given."""
    resource, parameters, query = request
    path = resource.format(**parameters)
    headers = {
        "Accept": "*/*",
        "Host": "example.execute-api.us-east-1.amazonaws.com",
        "Origin": "https://example.org",
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        **({"If-None-Match": etag} if etag else {}),
    }
    return {
        "resource": resource,
        "path": path,
        "httpMethod": "GET",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "example",
            "domainName": headers["Host"],
            "httpMethod": "GET",
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "bench"},
            "path": f"/api{path}",
            "protocol": "HTTP/1.1",
            "requestId": "bench",
            "resourcePath": resource,
            "stage": "api",
        },
        "body": None,
        "isBase64Encoded": False,
    }


def stream_event(records: int) -> dict[str, Any]:
    """Return a batch of changed magnitudes, with both images of 1 KB of JSON and new event ids."""
    quakes = stub.page()
    return {
        "Records": [
            {
                "eventID": uuid.uuid4().hex,
                "eventName": "MODIFY",
                "eventSourceARN": STREAM_ARN,
                "dynamodb": {
                    "ApproximateCreationDateTime": int(time.time()),
                    "Keys": {"idx": quake["idx"]},
                    "NewImage": {**quake, "mag": {"N": "5.5"}},
                    "OldImage": quake,
                },
            }
            for quake in quakes[:records]
        ]
    }
