"""What people are told of a daemon: whom, when, once and not a hundred times, and for sure."""
