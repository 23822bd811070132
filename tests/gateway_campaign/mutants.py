"""Negative controls: a promise less in the core or the gate, in a process of its own.

Nothing of the daemon is imported here: a mutant has to be in place before.
"""

from tests.simulation.mutants import MUTANTS as OF_SIMULATION
from tests.simulation.mutants import Mutant

ADAPTERS = ("asking", "blind", "reckless")
"""Those of `adapters`, by name."""
CORES = {
    "stale": Mutant(
        "projections/freshness.py",
        "    if terms is None or symbol in books.freshness.halted:\n        return None\n",
        "    if terms is None or symbol in books.freshness.halted or limits.max_age_s:\n"
        "        return None\n",
    ),
    "unreserved": OF_SIMULATION["forget what an unknown order reserves"],
    "early": OF_SIMULATION["send before the commit"],
}
"""No data is too old; an unknown order reserves nothing; orders leave before they are recorded."""
