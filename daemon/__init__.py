"""What to do next: the core decides, the engine records and acts."""
