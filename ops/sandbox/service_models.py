"""botocore's models of the AWS services, parsed by orjson: with the standard library's parser they are a third of the
sandbox's start."""

from __future__ import annotations

import gzip
from functools import cache
from typing import Any

import orjson
from botocore.loaders import JSONFileLoader, Loader

_ENDINGS = ((".json", open), (".json.gz", gzip.open))


class ModelFiles(JSONFileLoader):  # type: ignore[misc]
    """Loads the files of a `botocore.loaders.Loader`; each call gives a document of its own, as botocore's does."""

    def load_file(self, file_path: str) -> Any:
        """The document of a path without its ending; None when there is no such file."""
        for ending, opened in _ENDINGS:
            try:
                with opened(file_path + ending, "rb") as file:
                    return orjson.loads(file.read())
            except FileNotFoundError:
                continue
        return None


def read_quickly() -> None:
    """For every session that this process makes from now on, those that moto makes when it is imported included."""
    Loader.FILE_LOADER_CLASS = ModelFiles
    listed = Loader.list_available_services

    # each session looks into the 400 folders of the services anew
    @cache
    def listed_once(paths: tuple[str, ...], type_name: str) -> list[str]:
        found: list[str] = listed(Loader(list(paths), include_default_search_paths=False), type_name)
        return found

    Loader.list_available_services = lambda self, type_name: listed_once(tuple(self.search_paths), type_name)
