"""The promises of the feed under any behaviour of Lambda, against the embedded DynamoDB.

An invocation may stop before any of its calls, continue at any later time, die, be refused, or lose a response.
"""

from __future__ import annotations

import itertools
import os
import queue
import threading
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from chalicelib.changes import entries, writer
from chalicelib.changes.reader import FeedReader
from chalicelib.changes.writer import FeedWriter
from chalicelib.dynamodb.client import Cost, DynamoDB
from chalicelib.dynamodb.endpoint import connect
from chalicelib.dynamodb.errors import UNREACHABLE, DynamoDBError
from chalicelib.settings import Settings, read
from local import sample
from tests.changes.test_records import stream_record

COUNTER = itertools.count()
SHARDS, FUNCTIONS, ITEMS = 3, 4, 2
# Errors of DynamoDB under contention and load.
CONFLICT = DynamoDBError("TransactionCanceledException", "", 400, ("TransactionConflict",))
THROTTLED = DynamoDBError("ProvisionedThroughputExceededException", "", 400)


# How many calls an invocation makes, and what happens to it then. An invocation that is given up may continue while
# Lambda delivers its batch again.
ALL = 1000
CALLS = st.sampled_from([0, 1, 2, 4, 8, ALL, ALL])
FATES = st.sampled_from(["pause", "pause", "give up", "give up", "refuse", "lose", "kill"])


class Killed(BaseException):
    """The function's process is killed."""


class Invocation(threading.Thread):
    """An append in a thread. Before each call of DynamoDB it waits for a verdict on the call."""

    def __init__(self, function: Function, batch: list[dict[str, Any]], start: int) -> None:
        super().__init__(daemon=True)
        self.function, self.batch, self.end = function, batch, start + len(batch)
        self.verdicts: queue.Queue[str] = queue.Queue()
        self.pauses: queue.Queue[None] = queue.Queue()
        self.outcome: BaseException | None = None
        function.busy = self
        self.start()
        self.pauses.get(timeout=60)

    def run(self) -> None:
        try:
            self.function.writer.append({"Records": self.batch})
        except BaseException as error:
            self.outcome = error
        self.ended = True
        self.pauses.put(None)

    ended = False

    def resume(self, verdict: str) -> None:
        self.verdicts.put(verdict)
        self.pauses.get(timeout=60)

    def call(self, operation: str, **request: Any) -> tuple[dict[str, Any], Cost]:
        self.pauses.put(None)
        verdict = self.verdicts.get(timeout=60)
        if verdict == "kill":
            raise Killed
        if verdict == "refuse":
            raise CONFLICT if operation == "TransactWriteItems" else THROTTLED
        response = DynamoDB.call(self.function, operation, **request)
        if verdict == "lose":
            raise DynamoDBError(UNREACHABLE, "here")
        return response


class Function(DynamoDB):
    """A Lambda function's process. The memory of its writer lives as long as the process."""

    client: Any = None

    def __init__(self, settings: Settings, clock: Any) -> None:
        super().__init__(Function.client)
        self.settings = settings
        self.writer = FeedWriter(settings, self, clock, sleep=lambda _: None)
        self.busy: Invocation | None = None

    def call(self, operation: str, **request: Any) -> tuple[dict[str, Any], Cost]:
        assert self.busy
        return self.busy.call(operation, **request)


@dataclass
class Shard:
    records: list[dict[str, Any]]
    done: int = 0
    current: Invocation | None = None


class Deliveries(RuleBasedStateMachine):
    @initialize(skews=st.lists(st.sampled_from([-25, 0, 25]), min_size=FUNCTIONS, max_size=FUNCTIONS))
    def start(self, skews: list[int]) -> None:
        self.settings = read({"TABLE_NAME": f"machine-{next(COUNTER)}", "FEED_TABLE": "machine-feed"})
        self.now = 1_800_000_000.25
        self.skews = skews
        self.functions = [self.function(number) for number in range(FUNCTIONS)]
        self.shards = [Shard([]) for _ in range(SHARDS)]
        self.invocations: list[Invocation] = []
        self.reader = FeedReader(self.settings, DynamoDB(Function.client), lambda: self.now)
        self.seen: list[dict[str, Any]] = []
        self.position = 0
        self.versions = itertools.count()
        for number in range(SHARDS):
            self.write(number)

    def function(self, number: int) -> Function:
        return Function(self.settings, lambda: self.now + self.skews[number])

    def write(self, number: int) -> None:
        """Add six changes to a shard. Each item belongs to one shard, which has its changes in order."""
        shard = self.shards[number]
        for _ in range(6):
            version = next(self.versions)
            key = f"{number}-{version % ITEMS}"
            new = {"version": {"N": str(version)}}
            shard.records.append(stream_record(key, self.settings.table_name, int(self.now), new=new))

    @rule(
        number=st.integers(0, SHARDS - 1),
        length=st.integers(1, 7),
        function=st.integers(0, FUNCTIONS - 1),
        calls=CALLS,
        fate=FATES,
        seconds=st.sampled_from([0.4, 10, 10, 40, 70, 3600]),
    )
    def deliver(self, number: int, length: int, function: int, calls: int, fate: str, seconds: float) -> None:
        """Deliver the next batch of a shard, or the same records again if their invocation was given up."""
        self.now += seconds
        shard, process = self.shards[number], self.functions[function]
        if process.busy:
            self.run_calls(process.busy, ALL, "pause")
            process = self.functions[function]
        if shard.done == len(shard.records):
            self.write(number)
        batch = shard.records[shard.done : shard.done + length]
        shard.current = Invocation(process, batch, shard.done)
        self.invocations.append(shard.current)
        self.run_calls(shard.current, calls, fate)

    @precondition(lambda self: self.invocations)
    @rule(which=st.integers(0, FUNCTIONS - 1), calls=CALLS, fate=FATES)
    def resume_later(self, which: int, calls: int, fate: str) -> None:
        self.run_calls(self.invocations[which % len(self.invocations)], calls, fate)

    def run_calls(self, invocation: Invocation, calls: int, fate: str) -> None:
        """Let `invocation` make up to `calls` calls of DynamoDB, then apply `fate`."""
        if fate == "give up":
            for shard in self.shards:
                if shard.current is invocation:
                    shard.current = None
        for verdict in [*["go"] * calls, *([fate] if fate in ("refuse", "lose", "kill") else [])]:
            if not invocation.ended:
                invocation.resume(verdict)
        self.collect_ended()

    def collect_ended(self) -> None:
        for invocation in [candidate for candidate in self.invocations if candidate.ended]:
            self.invocations.remove(invocation)
            invocation.join()
            number = self.functions.index(invocation.function)
            invocation.function.busy = None
            if isinstance(invocation.outcome, Killed):
                self.functions[number] = self.function(number)
            elif invocation.outcome is None:
                for shard in self.shards:
                    if shard.current is invocation:
                        shard.done = invocation.end
            else:
                assert isinstance(invocation.outcome, DynamoDBError | writer.Contended), invocation.outcome

    @rule(limit=st.integers(1, 12))
    def read_changes(self, limit: int) -> None:
        head, _ = self.reader.head()
        changes, _ = self.reader.read(self.position, limit, head)
        assert len(changes.changes) <= limit
        assert changes.next_position > self.position or changes.next_position == head.position
        self.seen += changes.changes
        self.position = changes.next_position

    def teardown(self) -> None:
        if not hasattr(self, "shards"):
            return
        for invocation in self.invocations:
            invocation.resume("kill")
        self.collect_ended()
        for number, shard in enumerate(self.shards):
            while shard.done < len(shard.records):
                before = shard.done
                self.deliver(number, 5, number, ALL, "pause", 1)
                assert shard.done > before
        while self.position < self.reader.head()[0].position:
            self.read_changes(3)
        written = sum(len(shard.records) for shard in self.shards)
        assert [change["position"] for change in self.seen] == list(range(1, written + 1))
        assert len({change["id"] for change in self.seen}) == written
        for number, shard in enumerate(self.shards):
            shard_ids = [change["id"] for change in self.seen if change["key"]["idx"]["S"].startswith(f"{number}-")]
            assert shard_ids == [stored["eventID"] for stored in shard.records]
        everything, _ = self.reader.read(0, written + 1, self.reader.head()[0])
        assert everything.changes == self.seen


def test_each_change_is_in_the_feed_once_and_in_order(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    dynamodb.create_table(**sample.feed_table("machine-feed"))
    monkeypatch.setattr(writer, "ENTRY_CHANGES", 3)
    monkeypatch.setattr(entries, "PART_BYTES", 100)
    monkeypatch.setattr(writer, "REMEMBERED", 6)
    Function.client = connect(os.environ)
    run_state_machine_as_test(Deliveries, settings=settings(max_examples=50, stateful_step_count=40))
