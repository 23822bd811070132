"""`/metrics`: everything a monitor draws or alerts on, read off what is seen when it asks."""
