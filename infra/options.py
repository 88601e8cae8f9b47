"""Resource options shared by the components."""

from collections.abc import Sequence

import pulumi

TYPE_PREFIX = "dynamo-ops:infra"


def component_type(name: str) -> str:
    """Type token of a component of this program."""
    return f"{TYPE_PREFIX}:{name}"


def child(parent: pulumi.Resource, depends_on: Sequence[pulumi.Resource] | None = None) -> pulumi.ResourceOptions:
    """Options of a part that may be replaced freely."""
    return pulumi.ResourceOptions(parent=parent, depends_on=depends_on)


def guards_data(parent: pulumi.Resource, depends_on: Sequence[pulumi.Resource] | None = None) -> pulumi.ResourceOptions:
    """Options of what protects data that stays: a bucket that outlives its stack must not lose its locks with it."""
    return pulumi.ResourceOptions(parent=parent, retain_on_delete=True, depends_on=depends_on)


def keeps_data(
    parent: pulumi.Resource,
    *,
    ignore_changes: list[str] | None = None,
    depends_on: Sequence[pulumi.Resource] | None = None,
    import_: str | None = None,
) -> pulumi.ResourceOptions:
    """Options of a resource that holds data: no update and no destroy may take it away.

    Both flags, because an adoption under the same URN marks the old entry for deletion and only
    `retain_on_delete`, as recorded in the state beforehand, keeps the provider from deleting it.
    `import_` takes over what exists under that identifier.
    """
    return pulumi.ResourceOptions(
        parent=parent,
        protect=True,
        retain_on_delete=True,
        ignore_changes=ignore_changes,
        depends_on=depends_on,
        import_=import_,
    )
