"""Which of moto's services a request is for."""

from __future__ import annotations

from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app


class Dispatcher(DomainDispatcherApplication):
    """moto's own choice, made once for each host name: it lists its folder and tries 170 patterns at each request."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self._chosen: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        """The name of the backend; None when the host says nothing."""
        if host not in self._chosen:
            self._chosen[host] = super().get_backend_for_host(host)
        return self._chosen[host]
