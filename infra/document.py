"""JSON in and out for frozen dataclasses: unknown members are ignored, a missing or mistyped one is named."""

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, ClassVar, Literal, Self, Union, get_args, get_origin, get_type_hints


class JsonDocument:
    """JSON in and out for frozen dataclasses; members that are None are left out."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def to_data(self) -> dict[str, Any]:
        """The document as plain JSON values."""
        members = ((entry.name, getattr(self, entry.name)) for entry in fields(self))
        return {name: _encode(value) for name, value in members if value is not None}

    def to_json(self) -> str:
        """The document as compact JSON with sorted members: equal documents give equal text."""
        return json.dumps(self.to_data(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Build the document from plain JSON values; ValueError names a missing or mistyped member."""
        document: Self = _decode_document(cls, data, cls.__name__)
        return document

    @classmethod
    def from_json(cls, text: str | bytes | Mapping[str, Any]) -> Self:
        """Build the document from JSON text (or from its already parsed members)."""
        if isinstance(text, Mapping):
            return cls.from_data(text)
        try:
            data = json.loads(text)
        except ValueError as error:
            raise ValueError(f"{cls.__name__}: not JSON: {error}") from error
        return cls.from_data(data)


def _encode(value: Any) -> Any:
    if isinstance(value, JsonDocument):
        return value.to_data()
    if isinstance(value, tuple):
        return [_encode(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _encode(entry) for key, entry in value.items()}
    return value


@cache
def _hints(document: type) -> dict[str, Any]:
    return get_type_hints(document)


def _decode_document(document: Any, data: Any, path: str) -> Any:
    _expect(Mapping, "an object", data, path)
    hints = _hints(document)
    members: dict[str, Any] = {}
    for entry in fields(document):
        where = f"{path}.{entry.name}"
        if data.get(entry.name) is not None:
            members[entry.name] = _decode(hints[entry.name], data[entry.name], where)
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise ValueError(f"{where}: required member is missing")
    return document(**members)


def _decode(hint: Any, value: Any, path: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return _decode(inner, value, path)
    if origin is Literal:
        if value not in arguments or isinstance(value, bool):
            raise ValueError(f"{path}: {value!r} is not one of {', '.join(arguments)}")
        return value
    if origin is tuple:
        _expect((list, tuple), "a list", value, path)
        return tuple(_decode(arguments[0], entry, f"{path}[{at}]") for at, entry in enumerate(value))
    if origin is dict:
        _expect(Mapping, "an object", value, path)
        return {str(key): _decode(arguments[1], entry, f"{path}.{key}") for key, entry in value.items()}
    if is_dataclass(hint):
        return _decode_document(hint, value, path)
    return _decode_scalar(hint, value, path)


def _decode_scalar(hint: Any, value: Any, path: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    _expect(hint, hint.__name__, value, path)
    return value


def _expect(kind: Any, wanted: str, value: Any, path: str) -> None:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{path}: expected {wanted}, found {type(value).__name__}")
