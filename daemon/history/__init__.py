"""What was recorded, taken up again: a restart, a replay, and what both may believe."""
