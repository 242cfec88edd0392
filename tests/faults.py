"""A failing DynamoDB: an HTTP server on loopback that sends scripted responses."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT_TYPE = "application/x-amz-json-1.0"


@contextlib.contextmanager
def serving(handler: Callable[..., BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve `handler` on loopback. Yield the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def error(code: str, message: str) -> bytes:
    """Return the body of a DynamoDB error."""
    return json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}).encode()


# A status and a body, or a key of RAW_RESPONSES, or "slow": no response within 5 seconds.
Response = tuple[int, bytes] | str

BODY = b'{"good": 1}'
HEADERS = b"Content-Length: %d\r\nx-amz-crc32: %d\r\n" % (len(BODY), zlib.crc32(BODY))
RESPONSE = b"HTTP/1.1 200 OK\r\n%s\r\n%s" % (HEADERS, BODY)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\n%s\r\n7\r\n%s\r\n" % (BODY[:4], BODY[4:])

# Sent unchanged. The connection is closed after each, except those of KEEP_ALIVE.
RAW_RESPONSES = {
    "chunked": CHUNKED + b"0\r\nAfter: all\r\n\r\n",
    "half chunks": CHUNKED,
    "huge chunk": CHUNKED + b"f" * 12 + b"\r\n",
    "half": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n" + BODY,
    "half a head": RESPONSE[:30],
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000,
    "nonsense": b"\x15\x03\r\n\r\n",
    "reset": b"",
    "checksum": RESPONSE.replace(b"crc32: ", b"crc32: 1"),
    "announced": RESPONSE.replace(HEADERS, HEADERS + b"Connection: Close\r\n"),
    "old": RESPONSE.replace(b"1.1", b"1.0"),
    "until closed": RESPONSE.replace(HEADERS, b""),
    "continued": b"HTTP/1.1 100 Continue\r\n\r\n" + RESPONSE,
    "more": RESPONSE + b"\r\n",
    "twice": RESPONSE + RESPONSE.replace(b"good", b"evil").replace(HEADERS, HEADERS[: HEADERS.index(b"x-")]),
}
KEEP_ALIVE = {"chunked", "checksum", "continued", "more", "twice"}


@contextlib.contextmanager
def scripted_server(
    *responses: Response, closing: bool = False, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """Serve `responses` in turn, the last one repeatedly. Yield the URL and the list of received requests.

    A request is its headers and its body. The headers include the client's port as "port".
    `closing`: close the connection after each response, without announcing it.
    """
    requests: list[tuple[dict[str, str], bytes]] = []
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            requests.append((headers | {"port": str(self.client_address[1])}, body))
            response = responses[min(len(requests), len(responses)) - 1]
            if response == "slow":
                stopped.wait(5)
                response = "reset"
            if isinstance(response, str):
                self.wfile.write(RAW_RESPONSES[response][:25])
                stopped.wait(0.01)  # The response arrives in two parts.
                self.wfile.write(RAW_RESPONSES[response][25:])
                self.close_connection = closing or response not in KEEP_ALIVE
                return
            status, content = response
            self.send_response(status)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = closing

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler, tls) as port:
        try:
            yield f"http{'s' * bool(tls)}://127.0.0.1:{port}", requests
        finally:
            stopped.set()
