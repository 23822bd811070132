"""The crash drill on journals of a paper broker that loses, doubles and reorders its reports.

`python -m tests.crash_campaign --seeds 5`: each seed is two sessions of minutes under ten faults,
drilled whole. Exit 3 where a promise is broken.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import msgspec

from daemon import app
from daemon.exit_codes import ExitCode
from events.journal import JournalReader
from ops.drills.crash import CrashDrill, CrashDriller
from tests.small_runs import HOLD, TREND, config

STRATEGIES = {"trend": TREND, "hold": HOLD}
SESSIONS = (25, 45)
"""Up to which minute each session goes."""


def write(folder: Path, seed: int) -> Path:
    """Write a journal under the faults of `seed`; return where it is."""
    made = config(folder, STRATEGIES, snapshots_kept=1)
    broker = msgspec.structs.replace(made.broker, params={"fault_seed": seed})
    made = msgspec.structs.replace(made, broker=broker)
    journal = folder / "journal.db"
    for minutes in SESSIONS:
        (folder / "minutes").write_text(str(minutes), encoding="utf-8")
        running = app.run(made, folder, journal, started=lambda _: None, progress=lambda _: None)
        asyncio.run(running)
    return journal


def drill(seed: int) -> CrashDrill:
    """Drill the whole journal of `seed`."""
    with tempfile.TemporaryDirectory(prefix="traded-crash-") as made:
        journal, place = write(Path(made), seed), Path(made) / "scratch"
        place.mkdir()
        with JournalReader(journal) as reader:
            found = CrashDrill(str(journal), 1, reader.head().seq, seed)
            asyncio.run(CrashDriller(reader, place, found).run())
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    broken = 0
    for seed in range(1, parser.parse_args().seeds + 1):
        found = drill(seed)
        broken += len(found.findings)
        figures = f"{found.prefixes} crashes, {found.starts.total()} starts"
        said = f"{figures}, {found.in_doubt} in doubt, {len(found.findings)} broken"
        sys.stdout.write(f"seed {seed}: {said}\n")
        for each in found.findings:
            sys.stdout.write(f"  behind {each.seq}, {each.variant}: {each.what}\n")
        sys.stdout.flush()
    return ExitCode.FINDINGS if broken else ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
