"""Keeps a root in an object store, beside a copy here."""
