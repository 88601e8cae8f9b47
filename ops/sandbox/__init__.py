"""A stand-in for AWS on this machine, behind the same two doors."""
