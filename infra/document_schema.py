"""The JSON schema (draft 2020-12) of a document made of frozen dataclasses."""

import types
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def json_schema(document: type, title: str) -> dict[str, Any]:
    """The schema of `document`; members beyond it are allowed, as readers ignore what they do not know."""
    definitions: dict[str, Any] = {}
    root = _definition(document, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def _definition(document: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(document)
    return {
        "type": "object",
        "description": _summary(document),
        "properties": {entry.name: _schema(hints[entry.name], definitions) for entry in fields(document)},
        "required": [entry.name for entry in fields(document) if _required(entry)],
    }


def _summary(document: Any) -> str:
    """The first sentence of the docstring; dataclasses without one get their signature, which says nothing here."""
    text = str(document.__doc__ or "").split("\n")[0]
    return document.__name__ if text.startswith(f"{document.__name__}(") else text


def _required(entry: Field[Any]) -> bool:
    return entry.default is MISSING and entry.default_factory is MISSING


def _schema(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return _schema(inner, definitions)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0], definitions)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1], definitions)}
    if is_dataclass(hint):
        name = getattr(hint, "__name__", str(hint))
        if name not in definitions:
            definitions[name] = {}  # named before it is described: a type may hold itself
            definitions[name] = _definition(hint, definitions)
        return {"$ref": f"#/$defs/{name}"}
    return {"type": _SCALARS[hint]}
