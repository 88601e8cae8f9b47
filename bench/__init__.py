"""Figures of the data plane and the proof, beside those of the peers: `python -m bench`, results in RESULTS.md."""
