"""The configuration: every option, its bounds, and how the files that say them are read."""
