"""Dollars for a million requests, and for a million changes. Pure.

A function's CPU is proportional to its memory. It is billed by time: CPU time at that share of a core, and the time
that it waits for DynamoDB.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MEMORIES = (128, 256, 512)
# A function with this much memory has one vCPU (Lambda's developer guide, "Configure Lambda function memory").
VCPU_MB = 1769
CALL_MS = 5.0  # Assumed time of one call of DynamoDB.
MISS_SHARE = 0.1  # Assumed share of requests that CloudFront forwards to the API.

PRICES_OF = "list prices of us-east-1, 2026-11, without the free tier"
PRICES = {
    "Lambda, a million requests": 0.20,
    "Lambda, a GB-second (x86)": 0.0000166667,
    "API Gateway (REST), a million requests": 3.50,
    "DynamoDB on demand, a million read units": 0.125,
    "DynamoDB on demand, a million write units": 0.625,
    "data from the region to the internet, a GB": 0.09,
    "CloudFront, a million HTTPS requests": 1.00,
    "CloudFront, a GB to the internet": 0.085,
}


@dataclass(frozen=True)
class Work:
    """The resources of one request or batch: milliseconds of a whole core, calls of DynamoDB and their units, and bytes
    of the response body."""

    cpu_ms: float
    calls: float
    read_units: float = 0.0
    write_units: float = 0.0
    sent: float = 0.0


def billed_ms(work: Work, memory: int) -> int:
    """Return the milliseconds that a function of `memory` MB is billed for."""
    return math.ceil(work.cpu_ms * VCPU_MB / memory + work.calls * CALL_MS)


def function(work: Work, memory: int) -> float:
    """Return dollars for a million invocations of a function of `memory` MB, and their calls of DynamoDB."""
    gb_seconds = billed_ms(work, memory) / 1000 * memory / 1024 * 1_000_000
    return (
        PRICES["Lambda, a million requests"]
        + gb_seconds * PRICES["Lambda, a GB-second (x86)"]
        + work.read_units * PRICES["DynamoDB on demand, a million read units"]
        + work.write_units * PRICES["DynamoDB on demand, a million write units"]
    )


def requests(work: Work, memory: int) -> float:
    """Return dollars for a million requests to the API."""
    gigabytes = work.sent * 1_000_000 / 2**30
    return (
        function(work, memory)
        + PRICES["API Gateway (REST), a million requests"]
        + gigabytes * PRICES["data from the region to the internet, a GB"]
    )


def requests_through_cloudfront(work: Work, memory: int) -> float:
    """Return dollars for a million requests to CloudFront, of which MISS_SHARE reach the API. Data from the API to
    CloudFront is free."""
    gigabytes = work.sent * 1_000_000 / 2**30
    origin = function(work, memory) + PRICES["API Gateway (REST), a million requests"]
    return (
        PRICES["CloudFront, a million HTTPS requests"]
        + gigabytes * PRICES["CloudFront, a GB to the internet"]
        + origin * MISS_SHARE
    )


def changes(work: Work, records: int, memory: int) -> float:
    """Return dollars for a million changes in batches of `records`. Lambda's reads of the stream are free."""
    return function(work, memory) / records
