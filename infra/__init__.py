"""The Pulumi program of dynamo-ops, and the plain data it shares with `ops`."""
