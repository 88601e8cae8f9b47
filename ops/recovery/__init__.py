"""What AWS does for us: backups, restores, exports, imports, and the settings around a table."""
