"""Run one contender: `python worker.py MODULE ENTRY`. Read rounds from stdin, one JSON list of events per line, and
print the figures of each. The first round imports the module, as a cold start does.

Imports as little as possible: it counts as memory of every contender.
"""

import importlib
import json
import resource
import sys
import time
from typing import Any


class Context:
    aws_request_id = "bench"
    function_name = "bench"
    memory_limit_in_mb = 128
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:bench"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def peak_mb() -> float:
    """Return the peak resident memory of this process. On Linux getrusage would include the parent's."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def lower_headers(answer: dict[str, Any]) -> dict[str, str]:
    lists = answer.get("multiValueHeaders") or {}
    headers = {name: values[0] for name, values in lists.items()} | (answer.get("headers") or {})
    return {name.lower(): value for name, value in headers.items()}


def main() -> None:
    module, entry = sys.argv[1:]
    for line in sys.stdin:
        events = json.loads(line)
        cpu, wall = time.process_time(), time.perf_counter()
        handler = getattr(importlib.import_module(module), entry)
        for event in events:
            answer = handler(event, Context())
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        figures: dict[str, Any] = {"cpu": cpu / len(events), "wall": wall / len(events), "peak_mb": peak_mb()}
        if answer:  # The stream's handler returns None.
            body = answer["body"]
            figures |= {
                "status": answer["statusCode"],
                "sent": len(body.encode()),
                "items": json.loads(body).get("count", 1) if body else 0,
                "etag": lower_headers(answer).get("etag"),
            }
            if answer["statusCode"] >= 400:
                figures["error"] = body[:300]
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
