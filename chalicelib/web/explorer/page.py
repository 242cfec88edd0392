"""The page that GET / shows a browser, with its security headers."""

from __future__ import annotations

import functools
import pathlib
import re
from base64 import b64encode
from hashlib import sha256

from chalice import Response

from chalicelib.web.explorer.join import joined
from chalicelib.web.requests import client_etags

FOLDER = pathlib.Path(__file__).parent

_INLINE = re.compile(r"<(script|style)\b[^>]*>(.*?)</\1>", re.DOTALL)


def is_asked_for(accept: str) -> bool:
    """Return whether an Accept header asks for the page, not for JSON."""
    return "text/html" in accept


def page(if_none_match: str) -> Response:
    """Return the page with status 200, or a 304 where `if_none_match` has its ETag."""
    text, headers = _page()
    if client_etags(headers["ETag"])[0] in client_etags(if_none_match):
        return Response("", dict(headers), 304)
    return Response(text, dict(headers))


@functools.cache
def _page() -> tuple[str, dict[str, str]]:
    text = joined(FOLDER)
    hashes = {kind: b64encode(sha256(inline.encode()).digest()).decode() for kind, inline in _INLINE.findall(text)}
    policy = {
        "default-src": "'none'",
        "script-src": f"'sha256-{hashes['script']}'",
        "style-src": f"'sha256-{hashes['style']}'",
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        # What comes from the table cannot become markup, even by mistake.
        "require-trusted-types-for": "'script'",
    }
    return text, {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-cache",
        "ETag": f'"{sha256(text.encode()).hexdigest()[:24]}"',
        "Vary": "Accept",
    }
