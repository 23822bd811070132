"""Reports of a day, a week or a session: figures from the journal, shown in four forms."""
