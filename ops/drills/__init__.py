"""The drills of `traded drill`, one a file."""
