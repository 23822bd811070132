"""The pages of `traded watch`: console, API, metrics and health, on the loopback, to be read."""
