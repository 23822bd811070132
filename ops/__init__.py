"""How a person uses and watches it: the command line, its documents, the demo, the benchmarks."""
