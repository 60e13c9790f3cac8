"""Holds access to folders of object stores."""
