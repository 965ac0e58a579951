"""Thin: wire types in, services called, a Reply out. ``table.py`` puts them together."""
