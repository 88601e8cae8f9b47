"""The Pulumi program applied in process to an AWS endpoint: no Pulumi CLI, no plugin, no engine.

A stand-in for `pulumi up` in the sandbox. It creates, updates and deletes what the program declares and
reads every declared setting back; what it cannot imitate truthfully (imports, explicit providers, stack
references) it refuses. Retries and waiters of the real provider are not reproduced.
"""

from ops.sandbox.deploy.apply import apply
from ops.sandbox.deploy.model import Deployment, Setting
from ops.sandbox.deploy.resources import cannot

__all__ = ["Deployment", "Setting", "apply", "cannot"]
