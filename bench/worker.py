"""One contender in a process of its own: `python worker.py MODULE ENTRY`. Takes rounds on stdin, a JSON line of
events each, and gives their figures on stdout. The first round imports the module, as a cold start does.

Imports as little as may be: what is here is in every contender's memory.
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
    """The most that this process has had resident. On Linux getrusage counts what started it too."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def headers_of(answer: dict[str, Any]) -> dict[str, str]:
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
        if answer:  # A batch's handler has none.
            body = answer["body"]
            figures |= {
                "status": answer["statusCode"],
                "sent": len(body.encode()),
                "items": json.loads(body).get("count", 1) if body else 0,
                "tag": headers_of(answer).get("etag"),
            }
            if answer["statusCode"] >= 400:
                figures["said"] = body[:300]
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
