"""Frozen result types: what the library returns, what renderers show. No behaviour beyond derived values."""
