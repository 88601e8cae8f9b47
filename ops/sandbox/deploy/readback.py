"""Declared against found: every declared setting asked back from the endpoint. A 200 proves nothing."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ops.sandbox.deploy.aws import Aws
from ops.sandbox.deploy.model import Record, Setting
from ops.sandbox.deploy.resources import DIFFERENCES, SPECS
from ops.sandbox.deploy.spec import client_for

ABSENT = "(absent)"
SECRET = "(secret)"
OTHER_SECRET = "(another secret)"


def read_back(
    aws: Aws,
    records: Iterable[Record],
    differences: Mapping[tuple[str, str], str] = DIFFERENCES,
) -> list[Setting]:
    """One entry per declared setting; `found` is what AWS holds, in the form it was declared in."""
    return [setting for record in records for setting in _settings(aws, record, differences)]


def _settings(aws: Aws, record: Record, differences: Mapping[tuple[str, str], str]) -> Iterator[Setting]:
    spec = SPECS[record.type]
    if record.refused:
        for key, value in _declared(record):
            shown = SECRET if key in record.secrets else value
            yield Setting(record.urn, key, shown, ABSENT, record.refused)
        return
    found = _found(aws, record)
    for key, value in _declared(record):
        note = spec.unread.get(key, "")
        held = found.get(key, ABSENT)
        if note or same(value, held):
            held = value
        elif (part := _lost_part(record.type, key, value, held, differences)) is not None:
            yield part._replace(urn=record.urn)
            held = value
        else:
            note = differences.get((record.type, key), "")
        if key in record.secrets:
            value, held = SECRET, SECRET if held == value else OTHER_SECRET
        yield Setting(record.urn, key, value, held, note)


def _lost_part(
    type_: str, key: str, value: Any, held: Any, differences: Mapping[tuple[str, str], str]
) -> Setting | None:
    """The listed member of a list's entries that alone makes the difference; None when more differs."""
    for (listed, path), reason in differences.items():
        name, _, member = path.partition("[*].")
        if (listed, name) != (type_, key) or not member or not isinstance(value, list):
            continue
        rest = [{inner: entry[inner] for inner in entry if inner != member} for entry in value]
        if same(rest, held):
            return Setting("", path, [entry.get(member) for entry in value], ABSENT, reason)
    return None


def _declared(record: Record) -> Iterator[tuple[str, Any]]:
    """Declared settings but for the Region: reading there is its proof."""
    return ((key, value) for key, value in record.inputs.items() if key != "region" and value is not None)


def _found(aws: Aws, record: Record) -> Mapping[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError

    reader = SPECS[record.type].read
    if reader is None:
        return {}
    try:
        return reader(client_for(aws, record.region), record)
    except (BotoCoreError, ClientError, KeyError, IndexError, NotImplementedError) as error:
        return {key: f"(unreadable: {type(error).__name__}: {error})" for key in record.inputs}


def same(declared: Any, found: Any) -> bool:
    """Whether `found` holds what was declared: numbers by value, documents by content, lists as sets,
    structures member by member; a member declared as nothing asks for nothing."""
    declared, found = _parsed(declared), _parsed(found)
    if isinstance(declared, dict) and isinstance(found, dict):
        return all(same(value, found.get(key)) for key, value in declared.items() if value is not None)
    if isinstance(declared, list) and isinstance(found, list):
        return len(declared) == len(found) and _matched(declared, found)
    if isinstance(declared, bool) or isinstance(found, bool):
        return declared is found
    if isinstance(declared, int | float) and isinstance(found, int | float):
        return declared == found
    return bool(declared == found)


def _matched(declared: list[Any], found: list[Any]) -> bool:
    left = list(found)
    for value in declared:
        at = next((at for at, held in enumerate(left) if same(value, held)), None)
        if at is None:
            return False
        del left[at]
    return True


def _parsed(value: Any) -> Any:
    """A JSON document by its content; plain text as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
