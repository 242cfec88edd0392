"""A DynamoDB that goes wrong: an HTTP server on loopback that answers as it is told to."""

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
    thread = threading.Thread(target=server.serve_forever)
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


# A status and a body; or what goes wrong: "reset", "nonsense", "head", "half", "checksum" or "slow"; or what is good:
# "chunked", or the "last" of its connection, which it says, or "old", which is as much.
Answer = tuple[int, bytes] | str
BROKEN: dict[Answer, bytes] = {"head": b"HTTP/1.1 200 OK\r\nContent-Le", "nonsense": b"\x15\x03\r\n\r\n"}


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
            if answer in ("slow", "reset"):
                self.close_connection = True
                return
            if answer in BROKEN:
                self.close_connection = True
                self.wfile.write(BROKEN[answer])
                return
            self.protocol_version = "HTTP/1.0" if answer == "old" else "HTTP/1.1"
            status, content = (200, b'{"good": 1}') if isinstance(answer, str) else answer
            self.send_response(status)
            self.send_header("Content-Type", JSON)
            self.send_header("x-amz-crc32", str(zlib.crc32(content) + (answer == "checksum")))
            if answer == "chunked":
                self.send_header("Transfer-Encoding", "chunked")
                half = len(content) // 2
                chunks = [(half, content[:half]), (len(content) - half, content[half:])]
                content = b"".join(b"%x;a=b\r\n%s\r\n" % chunk for chunk in chunks) + b"0\r\nAfter: all\r\n\r\n"
            else:
                self.send_header("Content-Length", str(len(content) + 10 * (answer == "half")))
            if answer == "last":
                self.send_header("Connection", "Close")
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = closing or answer in ("half", "last", "old")

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler, tls) as port:
        try:
            yield f"http{'s' * bool(tls)}://127.0.0.1:{port}", had
        finally:
            ended.set()
