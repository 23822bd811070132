"""What the processes that stay say while they run: lines for people, or JSON for a journal."""
