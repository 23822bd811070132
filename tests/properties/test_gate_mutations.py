"""Some changes of the gate, one at a time: its tests notice each.

`python -m tests.gate_mutations` makes all of them.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLE = ["--unit", "--every", "60"]


def test_the_unit_tests_of_the_gate_notice_a_sample_of_its_mutants() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.gate_mutations", *SAMPLE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "survived" not in done.stdout
    killed, of = done.stdout.split(" mutants killed")[0].split(" of ")
    assert killed == of
    assert int(of) >= 10
