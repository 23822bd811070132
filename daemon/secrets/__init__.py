"""Where secrets come from: never from the configuration, the journal or an argument."""
