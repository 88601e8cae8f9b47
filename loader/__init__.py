"""Artists from a relational database, tracks from a track source, items to a sink."""
