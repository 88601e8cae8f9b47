"""Renderers of `ops.model`: terminal, JSON, one HTML page. They read results and decide nothing."""
