"""Watching a daemon from outside: what it did, how it stands, and whom to tell."""
