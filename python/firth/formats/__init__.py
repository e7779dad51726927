"""The file formats: one file each, one table."""
