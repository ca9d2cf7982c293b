"""Practitioners as records, kept by their school's lead and the administrator."""
