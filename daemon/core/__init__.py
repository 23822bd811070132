"""The core: what is decided, and only that. Pure: no clock, no file, no await."""
