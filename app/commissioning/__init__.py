"""What a commissioning engineer does to a station: edits its file, tries a connection, reads one point."""
