"""RDS instances that stand for a real database of this machine.

docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html: with ManageMasterUserPassword the credentials
are in Secrets Manager, so a program that reads the secret must be able to connect.
"""

from __future__ import annotations

import json
from typing import Any

from moto.rds.models import DBInstance, MasterUserSecret, RDSBackend

from ops.sandbox.aws.world import DatabaseBinding, World

Place = tuple[str, str]


class BoundInstances:
    """Which instance stands for which database: only those created, never those restored."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._bound: dict[Place, DatabaseBinding] = {}

    def bind(self, instance: DBInstance) -> None:
        """The database of the instance's engine, if one was posted."""
        binding = self._world.databases.get(str(instance.engine))
        if binding is not None:
            self._bound[_place(instance)] = binding
            instance.port = binding.port

    def release(self, instance: DBInstance) -> None:
        """A restored instance has no data behind it here: it must not answer with the source's address."""
        if self._bound.pop(_place(instance), None) is not None:
            instance.port = DBInstance.default_port(str(instance.engine))

    def of(self, instance: DBInstance) -> DatabaseBinding | None:
        """The database behind this instance."""
        return self._bound.get(_place(instance))

    def credentials(self, engine: str) -> str | None:
        """The secret's text for this engine."""
        binding = self._world.databases.get(engine)
        return None if binding is None else json.dumps({"username": binding.username, "password": binding.password})


def _place(instance: DBInstance) -> Place:
    return str(instance.region), str(instance.db_instance_identifier)


def install(world: World) -> None:
    """Addresses and secrets of bound instances."""
    bound = BoundInstances(world)
    create, secret_text = RDSBackend.create_db_instance, MasterUserSecret._generate_secret_string
    address: Any = DBInstance.__dict__["address"]

    def create_db_instance(self: RDSBackend, db_kwargs: dict[str, Any]) -> DBInstance:
        instance = create(self, db_kwargs)
        bound.bind(instance)
        return instance

    def bound_address(self: DBInstance) -> str:
        binding = bound.of(self)
        return str(address.fget(self)) if binding is None else binding.address

    def generate_secret_string(self: MasterUserSecret) -> str:
        return bound.credentials(str(self.resource.engine)) or secret_text(self)

    RDSBackend.create_db_instance = create_db_instance  # type: ignore[method-assign]
    DBInstance.address = property(bound_address)  # type: ignore[assignment,method-assign]
    MasterUserSecret._generate_secret_string = generate_secret_string  # type: ignore[method-assign]
    for name in ("restore_db_instance_from_db_snapshot", "restore_db_instance_to_point_in_time"):
        _release_after(bound, name)


def _release_after(bound: BoundInstances, method: str) -> None:
    original = getattr(RDSBackend, method)

    def restored(self: RDSBackend, *args: Any, **kwargs: Any) -> DBInstance:
        instance: DBInstance = original(self, *args, **kwargs)
        bound.release(instance)
        return instance

    setattr(RDSBackend, method, restored)
