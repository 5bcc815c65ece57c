"""The SQL of sqlml, read by name through ``sqlml.queries``."""
