"""What a command does from end to end, joined from recovery, data plane and verification.

One module per verb; each takes a `Session` and an open run, returns a result type of `ops.model`, and never prints.
"""
