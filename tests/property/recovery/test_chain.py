"""A full export and the changes after it: of each key what the newest export says of it, and nothing older."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.flows.held import held
from ops.flows.net_lines import Chain
from ops.model.items import Item, KeySchema
from ops.recovery.manifest import Export
from tests.property.examples import examples

KEYS = KeySchema("pk", "S", "sk", "N")
INDEXES = {"by_year": KeySchema("year", "N")}


@dataclass(frozen=True)
class Given:
    """As much of an export as is read here."""

    name: str
    raw: tuple[bytes, ...]

    @property
    def address(self) -> str:
        return self.name

    def lines(self) -> Iterator[tuple[str, int, bytes]]:
        return ((self.name, at, line) for at, line in enumerate(self.raw, 1))


#: What becomes of a key: a value, a deletion, or a line that cannot be used, with or without a key that can.
FATES = st.sampled_from(["put", "put", "put", "gone", "bad image", "bad index", "bad key", "cut"])
STATES = st.dictionaries(st.integers(0, 7), FATES, max_size=8)
SPELLINGS = st.sampled_from(["{}", "{}.0", "{}e0", "+{}"])


def key_of(number: int, spelling: str) -> Item:
    return {"pk": {"S": "p"}, "sk": {"N": spelling.format(number)}}


def image(number: int, fate: str, value: str, spelling: str) -> Item:
    item: dict[str, Any] = {**key_of(number, spelling), "v": {"S": value}}
    if fate == "bad image":
        item["n"] = {"N": "1" * 39}
    if fate == "bad index":
        item["year"] = {"S": "x"}
    return item


def full_line(number: int, fate: str, spelling: str) -> bytes:
    item = image(number, fate, "full", spelling)
    if fate == "bad key":
        del item["sk"]
    return json.dumps({"Item": item}).encode()[: -9 if fate == "cut" else None]


def change_line(number: int, fate: str, value: str, spelling: str) -> bytes:
    line: dict[str, Any] = {"Metadata": {"WriteTimestampMicros": {"N": "1"}}, "Keys": key_of(number, spelling)}
    if fate != "gone":
        line["NewImage"] = image(number, fate, value, spelling)
    if fate == "bad key":
        line["Keys"] = {"pk": {"S": "p"}}
    return json.dumps(line).encode()[: -9 if fate == "cut" else None]


@settings(max_examples=examples(200), deadline=None)
@given(full=STATES, changes=st.lists(STATES, max_size=4), data=st.data())
def test_of_each_key_the_newest_word_counts_and_never_an_older_one_in_its_place(
    tmp_path_factory: Any, full: dict[int, str], changes: list[dict[int, str]], data: st.DataObject
) -> None:
    full = {number: "put" if fate == "gone" else fate for number, fate in full.items()}
    exports = [Given("full", tuple(full_line(number, fate, data.draw(SPELLINGS)) for number, fate in full.items()))]
    last = {number: ("full", fate) for number, fate in full.items()}
    for at, states in enumerate(changes, 1):
        lines = [change_line(number, fate, str(at), data.draw(SPELLINGS)) for number, fate in states.items()]
        exports.append(Given(str(at), tuple(lines)))
        # Only a line whose key cannot be read leaves what was said of the key before.
        last |= {number: (str(at), fate) for number, fate in states.items() if fate not in ("bad key", "cut")}
    chain = Chain(tuple(cast(Export, one) for one in exports), KEYS, INDEXES)
    folder: Path = tmp_path_factory.mktemp("chain")
    with held(folder, "newest") as newest:
        judged = chain.judge(newest)
        put = [orjson.loads(line)["Item"] for _, _, line in chain.put_lines(judged, newest)]
        gone = list(chain.deletions(judged, newest))
    wanted = {number: where for number, (where, fate) in last.items() if fate == "put"}
    assert {int(float(one["sk"]["N"])): one["v"]["S"] for one in put} == wanted
    assert len(put) == len(wanted) == judged.puts
    deleted = sorted(number for number, (_, fate) in last.items() if fate == "gone")
    assert sorted(int(float(one["sk"]["N"])) for one in gone) == deleted
    fates = [*full.values(), *(fate for states in changes for fate in states.values())]
    assert len(judged.problems) == judged.rejected == sum(fate not in ("put", "gone") for fate in fates)
    assert judged.read == len(fates) == judged.puts + judged.deletes + judged.superseded + judged.rejected
