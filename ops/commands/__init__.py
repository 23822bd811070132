"""One file a command; `ops.cli` lists them."""
