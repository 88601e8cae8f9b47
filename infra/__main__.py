"""The program: configuration in, components, environment document out. It declares and never decides."""

import pulumi

from infra.config import StackConfig
from infra.stack import Stack

stack = Stack(StackConfig.read())
for output, value in stack.outputs().items():
    pulumi.export(output, value)
