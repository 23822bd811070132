"""Keeping what was recorded: copies of a journal at work, backups of them, and the way back."""
