"""How fast traded is, beside others: `make bench`. What it found: ops/benchmarks.md."""
