"""Harm to live clusters while clients work on them, and the record of what these saw."""
