"""The lower bound of any handler: DynamoDB over a bare socket, unsigned, and orjson's loads and dumps."""

import os
import socket
from urllib.parse import urlsplit

import orjson

url = urlsplit(os.environ["AWS_ENDPOINT_URL_DYNAMODB"])
connection = socket.create_connection((url.hostname, url.port))
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
TABLE = os.environ["TABLE_NAME"]


def call(operation, request):
    body = orjson.dumps({"TableName": TABLE, **request})
    head = f"POST / HTTP/1.1\r\nHost: {url.netloc}\r\nX-Amz-Target: DynamoDB_20120810.{operation}\r\n"
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, start = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    answer = memoryview(bytearray(length))
    answer[: len(start)] = start
    got = len(start)
    while got < length:
        got += connection.recv_into(answer[got:])
    return orjson.loads(answer)


def handler(event, context):
    key = (event["pathParameters"] or {}).get("partition")
    if key:
        body = call("GetItem", {"Key": {"idx": {"S": key}}})["Item"]
    else:
        query = dict(event["queryStringParameters"])
        limit = int(query.pop("_limit"))
        request = {"FilterExpression": "#s = :s"} if query else {"Limit": limit}
        items = []
        while len(items) < limit:
            page = call("Scan", request)
            items += page["Items"]
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        body = {"items": items, "count": len(items)}
    return {"statusCode": 200, "headers": {}, "body": orjson.dumps(body).decode()}
