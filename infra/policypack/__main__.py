"""The rules of `infra.policies` as a Pulumi policy pack: `pulumi preview --policy-pack infra/policypack`.

A pack serves the CLI for as long as it lives, so it exists only here and never in a module that is imported.
The CLI does not tell a pack about retain_on_delete; the tests check it.
"""

from collections.abc import Callable

import pulumi_policy

from infra.policies import RULES
from infra.rules import Resource, Rule

Report = Callable[[str, str | None], None]


def stack_policy(rule: Rule) -> pulumi_policy.StackValidationPolicy:
    """One rule in the form the pack wants."""

    def validate(stack: pulumi_policy.StackValidationArgs, report: Report) -> None:
        urns = {found.name: found.urn for found in stack.resources}
        resources = [
            Resource(found.resource_type, found.name, found.props, found.opts.protect) for found in stack.resources
        ]
        for name, reason in rule.check(resources):
            report(f"{name} {reason}", urns.get(name))

    return pulumi_policy.StackValidationPolicy(
        name=rule.name,
        description=rule.promise,
        validate=validate,
        enforcement_level=pulumi_policy.EnforcementLevel.MANDATORY,
    )


if __name__ == "__main__":
    pulumi_policy.PolicyPack(name="dynamo-ops", policies=[stack_policy(rule) for rule in RULES])
