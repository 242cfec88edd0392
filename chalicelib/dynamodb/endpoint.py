"""The environment -> where DynamoDB is, and the transport that serves it.

In Lambda the environment says everything, and `transport` does the calls. Where a profile, a configuration file, a
proxy or the like may have a say, botocore does them: it knows them all, and is slow to start.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from chalicelib.dynamodb.signature_v4 import Credentials
from chalicelib.dynamodb.transport import Endpoint, SignedTransport

# With one of these set, botocore decides where a call goes.
BOTOCORE_VARIABLES = {
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "REQUESTS_CA_BUNDLE",
    "https_proxy",
    "http_proxy",
}

CONFIGURATION_FILES = ("~/.aws/config", "~/.aws/credentials")

# AWS's other partitions: the start of their regions -> the end of their host names (botocore's endpoints.json).
DOMAINS = {
    "cn-": "amazonaws.com.cn",
    "eu-isoe-": "cloud.adc-e.uk",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
}


class Transport(Protocol):
    def send(self, operation: str, request: Mapping[str, Any]) -> bytes:
        """Return the body of DynamoDB's answer to `operation`. Binary in `request` is base64 text or bytes. Raise
        DynamoDBError if there is no answer, or an error."""


def connect(environ: Mapping[str, str]) -> Transport:
    endpoint = endpoint_in(environ)
    if endpoint:
        return SignedTransport(endpoint)
    from chalicelib.dynamodb.botocore_transport import BotocoreTransport

    return BotocoreTransport()


def endpoint_in(environ: Mapping[str, str]) -> Endpoint | None:
    """Return the endpoint that `environ` describes in full, None where botocore has to find it."""
    access_key, secret_key = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    region = environ.get("AWS_DEFAULT_REGION")
    if not (access_key and secret_key and region) or BOTOCORE_VARIABLES & environ.keys():
        return None
    if any(map(os.path.exists, map(os.path.expanduser, CONFIGURATION_FILES))):
        return None
    url = environ.get("AWS_ENDPOINT_URL_DYNAMODB") or environ.get("AWS_ENDPOINT_URL") or default_url(region)
    if urlsplit(url).path not in ("", "/"):
        return None
    return Endpoint(url, region, Credentials(access_key, secret_key, environ.get("AWS_SESSION_TOKEN")))


def default_url(region: str) -> str:
    domain = next((domain for start, domain in DOMAINS.items() if region.startswith(start)), "amazonaws.com")
    return f"https://dynamodb.{region}.{domain}"
