"""The write ledger: each write of the drill stands on disk before it is sent, its answer after.

It is the expected side that owes nothing to the backup it judges: what was acknowledged must be there.
One writer; a key is not written again before the answer to its last write is known.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TextIO

from ops.clock import Clock
from ops.errors import RunFolderUnusable
from ops.model.items import Item, KeySchema

Outcome = Literal["ok", "fail", "unknown"]
Operation = Literal["insert", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Write:
    """One write: the whole item afterwards (None for a delete), and what came back.

    `outcome` is `unknown` until the answer is written down, and stays so when none came.
    """

    seq: int
    operation: Operation
    key: Item
    item: Item | None
    fault: bool
    sent: datetime
    outcome: Outcome = "unknown"
    acked: datetime | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A write that is about to be sent."""

    operation: Operation
    key: Item
    item: Item | None
    fault: bool = False


def key_token(key: Item) -> str:
    """One text per key, whatever the order of its attributes."""
    return json.dumps(key, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Ledger:
    """Writes in order, in memory and in `path`; closed by leaving its context."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._writes: list[Write] = []
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise RunFolderUnusable(f"cannot write the ledger {self.path}", why=str(error)) from error
        self._file = os.fdopen(descriptor, "w", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            file.close()
        except OSError as failure:  # what is still buffered does not fit: the error under way says so already
            if error is None:
                raise RunFolderUnusable(f"cannot write the ledger {self.path}", why=str(failure)) from failure

    @property
    def writes(self) -> tuple[Write, ...]:
        """Every write so far, in order."""
        return tuple(self._writes)

    def intend(self, planned: Sequence[Planned]) -> list[int]:
        """Write the intents down and force them to the disk; their numbers. Only then may they be sent."""
        open_keys = {key_token(one.key) for one in self._writes if one.outcome == "unknown"}
        tokens = [key_token(one.key) for one in planned]
        if len(set(tokens)) < len(tokens) or not open_keys.isdisjoint(tokens):
            raise ValueError("a key is written again before the answer to its last write is known")
        sent = self._clock.now()
        first = len(self._writes) + 1
        fresh = [Write(first + at, one.operation, one.key, one.item, one.fault, sent) for at, one in enumerate(planned)]
        self._append([_intent_line(one) for one in fresh])
        self._writes.extend(fresh)
        return [one.seq for one in fresh]

    def answered(self, numbers: Iterable[int], outcome: Outcome) -> None:
        """Write down what came back for these writes, at this moment."""
        acked = self._clock.now()
        lines = []
        for number in numbers:
            self._writes[number - 1] = replace(self._writes[number - 1], outcome=outcome, acked=acked)
            lines.append({"seq": number, "kind": "outcome", "outcome": outcome, "acked": _stamp(acked)})
        self._append(lines)

    def _append(self, lines: Sequence[Mapping[str, Any]]) -> None:
        if self._file is None:
            raise ValueError("the ledger is closed")
        try:
            self._file.writelines(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n" for line in lines)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise RunFolderUnusable(
                f"cannot write the ledger {self.path}", why=str(error), changed="the writes were not sent"
            ) from error


def read_ledger(path: Path) -> tuple[Write, ...]:
    """The writes of a ledger file; a last line that was cut is dropped, an intent without answer is unknown."""
    writes: list[Write] = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        entry = json.loads(line)
        if entry["kind"] == "intent":
            writes.append(
                Write(
                    entry["seq"], entry["operation"], entry["key"], entry["item"], entry["fault"],
                    datetime.fromisoformat(entry["sent"]),
                )
            )  # fmt: skip
        else:
            found = writes[entry["seq"] - 1]
            writes[entry["seq"] - 1] = replace(
                found, outcome=entry["outcome"], acked=datetime.fromisoformat(entry["acked"])
            )
    return tuple(writes)


def admitted(writes: Iterable[Write], baseline: Mapping[str, Item], until: datetime) -> dict[str, list[Item | None]]:
    """For each key that good writes touched: the values it may have at `until`, the likeliest first.

    More than one value only where a write was unanswered, or still on its way at `until`. The writes of the
    planted fault are never expected.
    """
    values: dict[str, list[Item | None]] = {}
    for one in writes:
        if one.fault or one.outcome == "fail" or one.sent > until:
            continue
        token = key_token(one.key)
        before = values.get(token, [baseline.get(token)])
        settled = one.outcome == "ok" and one.acked is not None and one.acked <= until
        values[token] = [one.item] if settled else [*before, one.item]
    return values


def expected_items(
    baseline: Iterable[Item],
    schema: KeySchema,
    values: Mapping[str, list[Item | None]],
    found: Mapping[str, Item | None],
) -> Iterator[Item]:
    """The items that must be there: the baseline with the ledger on top.

    `found` holds what is in the table for the keys that admit several values: an admitted value is accepted,
    anything else leaves the likeliest one standing, so that it is reported.
    """
    open_tokens = set(values)
    for item in baseline:
        token = key_token({name: item[name] for name in schema.names})
        if token not in values:
            yield item
            continue
        open_tokens.discard(token)
        chosen = _chosen(values[token], found.get(token))
        if chosen is not None:
            yield chosen
    for token in sorted(open_tokens):
        chosen = _chosen(values[token], found.get(token))
        if chosen is not None:
            yield chosen


def uncertain(values: Mapping[str, list[Item | None]]) -> list[str]:
    """Tokens of the keys that admit more than one value."""
    return [token for token, admitted_values in values.items() if len(admitted_values) > 1]


def _chosen(values: list[Item | None], found: Item | None) -> Item | None:
    return found if len(values) > 1 and found in values else values[0]


def _intent_line(one: Write) -> dict[str, Any]:
    return {
        "seq": one.seq,
        "kind": "intent",
        "operation": one.operation,
        "key": one.key,
        "item": one.item,
        "fault": one.fault,
        "sent": _stamp(one.sent),
    }


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
