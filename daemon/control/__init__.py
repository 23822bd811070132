"""The operator's line to the running daemon: a unix socket, one command a connection."""
