"""The ways to stop, which share no failure: a latch, the permit file, a word beside the journal."""
