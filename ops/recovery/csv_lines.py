"""Lines of CSV as named cells: a header line in each object, then a cell for each column."""

from __future__ import annotations

import csv
from collections.abc import Sequence

from ops.model.items import KeySchema
from ops.recovery.lines import BadLine, check_bytes


class CsvLines:
    """Reads lines in their order; empty cells are left out, as ImportTable does.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.Format.html
    """

    def __init__(self, keys: KeySchema, delimiter: str, headers: Sequence[str] | None = None) -> None:
        self._keys, self._delimiter, self._given = keys, delimiter, headers
        self._source: str | None = None
        self._names: list[str] = []

    def cells(self, source: str, raw: bytes) -> dict[str, str] | None:
        """The cells of a line that are not empty, by column; None for a header line; BadLine for what is no line."""
        starts = source != self._source
        if starts:
            self._source = source
            self._names = [] if self._given is None else self._checked(list(self._given))
        if starts and self._given is None:
            self._names = self._header(raw)
            return None
        if not self._names:
            raise BadLine("its object has no usable header line")
        cells = self._split(raw)
        if cells == self._names:
            raise BadLine("the header line again")
        if len(cells) > len(self._names):
            raise BadLine(f"{len(cells)} cells under {len(self._names)} columns")
        return {name: cell for name, cell in zip(self._names, cells, strict=False) if cell != ""}

    def _header(self, raw: bytes) -> list[str]:
        try:
            return self._checked(self._split(raw))
        except BadLine as error:
            raise BadLine(str(error), header=True) from error

    def _checked(self, names: list[str]) -> list[str]:
        missing = [name for name in self._keys.names if name not in names]
        if missing:
            raise BadLine(f"header without the key column '{missing[0]}' (delimiter '{self._delimiter}')")
        if len(set(names)) != len(names) or "" in names:
            raise BadLine("header names a column twice or not at all")
        return names

    def _split(self, raw: bytes) -> list[str]:
        check_bytes(raw)
        try:
            [cells] = csv.reader([raw.decode()], delimiter=self._delimiter, strict=True)
        except (UnicodeDecodeError, csv.Error, ValueError) as error:
            told = "not UTF-8" if isinstance(error, UnicodeDecodeError) else f"not CSV: {error}"
            raise BadLine(told) from error
        return cells
