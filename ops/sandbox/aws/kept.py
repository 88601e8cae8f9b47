"""The name of a kept state, and the error about it: for callers that must not load moto for that."""

FILE = "aws.state"
# how every text about one that cannot be taken over begins
KEPT = f"the kept state ({FILE})"


class CannotKeep(RuntimeError):
    """The state cannot be written, or not be read by this version."""
