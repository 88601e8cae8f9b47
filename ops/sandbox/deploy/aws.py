"""Clients of the endpoint, made once per service and Region."""

import threading
from functools import cache
from typing import Any

_TIMEOUT_S = 30


class Aws:
    """botocore clients with dummy credentials: the endpoint is a sandbox, never AWS."""

    def __init__(self, endpoint: str | None, region: str) -> None:
        self.endpoint = endpoint
        self.region = region
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self._session: Any = None

    def client(self, service: str, region: str | None = None) -> Any:
        key = (service, region or self.region)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._make(*key)
            return self._clients[key]

    def _make(self, service: str, region: str) -> Any:
        import botocore.session
        from botocore.config import Config

        if self._session is None:
            self._session = botocore.session.Session()
            self._session.register_component("data_loader", _models())
        config = Config(
            connect_timeout=_TIMEOUT_S,
            read_timeout=_TIMEOUT_S,
            retries={"max_attempts": 1, "mode": "standard"},
            s3={"addressing_style": "path"},
        )
        return self._session.create_client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",
            config=config,
        )


@cache
def _models() -> Any:
    """botocore's models of the services, which never change: read once per process, not once per apply."""
    from botocore.loaders import Loader

    from ops.sandbox.service_models import ModelFiles

    return Loader(file_loader=ModelFiles())
