"""A DynamoDB that fails: an HTTP server on loopback that gives scripted answers."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

JSON = "application/x-amz-json-1.0"


@contextlib.contextmanager
def serving(handler: Callable[..., BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port on loopback where `handler` answers."""
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
    """The body of an error of DynamoDB's."""
    return json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}).encode()


# A status and a body; or the name of what goes wrong, or of what is good, though DynamoDB does not do it.
Answer = tuple[int, bytes] | str

GOOD = b'{"good": 1}'
FIELDS = b"Content-Length: %d\r\nx-amz-crc32: %d\r\n" % (len(GOOD), zlib.crc32(GOOD))
WHOLE = b"HTTP/1.1 200 OK\r\n%s\r\n%s" % (FIELDS, GOOD)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\n%s\r\n7\r\n%s\r\n" % (GOOD[:4], GOOD[4:])

# These go out as they are; the connection is closed behind all but those of KEPT.
RAW = {
    "chunked": CHUNKED + b"0\r\nAfter: all\r\n\r\n",
    "half chunks": CHUNKED,
    "huge chunk": CHUNKED + b"f" * 12 + b"\r\n",
    "half": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n" + GOOD,
    "half a head": WHOLE[:30],
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000,
    "nonsense": b"\x15\x03\r\n\r\n",
    "reset": b"",
    "checksum": WHOLE.replace(b"crc32: ", b"crc32: 1"),
    "announced": WHOLE.replace(FIELDS, FIELDS + b"Connection: Close\r\n"),
    "old": WHOLE.replace(b"1.1", b"1.0"),
    "until closed": WHOLE.replace(FIELDS, b""),
    "continued": b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE,
    "more": WHOLE + b"\r\n",
    "twice": WHOLE + WHOLE.replace(b"good", b"evil").replace(FIELDS, FIELDS[: FIELDS.index(b"x-")]),
}
KEPT = {"chunked", "checksum", "continued", "more", "twice"}


@contextlib.contextmanager
def scripted(
    *answers: Answer, closing: bool = False, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """The URL of a server that gives `answers` in turn, the last again and again, and the requests that it has had, the
    "port" that they came from among the headers.

    `closing`: whether it hangs up, without a word, after each.
    """
    had: list[tuple[dict[str, str], bytes]] = []
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fields = {name.lower(): value for name, value in self.headers.items()}
            had.append((fields | {"port": str(self.client_address[1])}, body))
            answer = answers[min(len(had), len(answers)) - 1]
            if answer == "slow":
                ended.wait(5)
                answer = "reset"
            if isinstance(answer, str):
                self.wfile.write(RAW[answer][:25])
                ended.wait(0.01)  # So that it comes in two parts.
                self.wfile.write(RAW[answer][25:])
                self.close_connection = closing or answer not in KEPT
                return
            status, content = answer
            self.send_response(status)
            self.send_header("Content-Type", JSON)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = closing

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler, tls) as port:
        try:
            yield f"http{'s' * bool(tls)}://127.0.0.1:{port}", had
        finally:
            ended.set()
