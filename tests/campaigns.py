"""`make campaign`: every long trial there is, one after the other, and one line about each.

    .venv/bin/python -m tests.campaigns [--only NAME] [--scale 0.1]

Each is a campaign of its own, of which the test suite runs a small one; ops/reliability.md says
what it tries and against which promise. A control is the same with the promise taken out: there,
harm is what has to be found. Inconclusive is what could try nothing here; it is said, and it is no
pass. All of it takes most of a day; a smaller `--scale` takes that share of the counts.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
INCONCLUSIVE = 3
"""The exit code of a campaign that could try nothing."""


@dataclass(frozen=True)
class Campaign:
    """`command` is a module and its words, `{count}` among them; `fails` says it is a control."""

    name: str
    command: str
    count: int
    fails: bool = False
    least: int = 20

    def words(self, scale: float) -> list[str]:
        count = max(self.least, round(self.count * scale))
        return [sys.executable, "-m", *self.command.format(count=count).split()]


CAMPAIGNS = (
    Campaign("kill -9", "tests.kill_campaign --kills {count}", 20_000),
    Campaign("kill -9, the journal", "tests.power.kills --kills {count}", 20_000),
    Campaign("power, ext4", "tests.power.real_cuts --file-system ext4 --cuts {count}", 2_000),
    Campaign("power, xfs", "tests.power.real_cuts --file-system xfs --cuts {count}", 500),
    # Of these the exit code is 0 where the control did lose events.
    Campaign("power, NORMAL", "tests.power.real_cuts --synchronous NORMAL --cuts {count}", 100),
    Campaign("power, OFF", "tests.power.real_cuts --synchronous OFF --cuts {count}", 100),
    Campaign("power, keeping", "tests.power.keeping_cuts --cuts {count}", 500),
    Campaign("power, keeping, no syncs", "tests.power.keeping_cuts --no-syncs --cuts {count}", 20),
    Campaign("power, simulated", "tests.power.simulated_cuts --cuts {count}", 1_000_000),
    Campaign("failing disks", "tests.disk_campaign --rounds {count}", 50, least=2),
    Campaign("damage", "tests.damage_campaign --times {count}", 30_000),
    Campaign("one writer", "tests.lock_campaign --processes {count}", 20_000),
    Campaign("the gate", "tests.gate_campaign --cases {count}", 1_000_000),
    Campaign("kill switch", "tests.kill_switch_campaign --trials {count}", 500),
    Campaign("simulation", "tests.simulation --days {count}", 10_000),
    Campaign("time", "tests.time --walks {count}", 1_000),
    Campaign(
        "time, by the wall alone",
        "tests.time --walks {count} --mutant fire-by-the-wall-clock-alone",
        40,
        fails=True,
    ),
    Campaign("network", "tests.network_campaign --seeds {count}", 200),
    Campaign(
        "network, blind",
        "tests.network_campaign --mutant blind --mode reset --seeds {count}",
        20,
        fails=True,
    ),
    Campaign(
        "network, deaf",
        "tests.network_campaign --mutant deaf --mode half-open --seeds {count}",
        20,
        fails=True,
    ),
    Campaign("gateway", "tests.gateway_campaign --seeds {count}", 2_000),
    Campaign(
        "gateway, blind", "tests.gateway_campaign --mutant blind --seeds {count}", 50, fails=True
    ),
    Campaign(
        "gateway, asking", "tests.gateway_campaign --mutant asking --seeds {count}", 50, fails=True
    ),
    Campaign(
        "gateway, reckless",
        "tests.gateway_campaign --mutant reckless --seeds {count}",
        50,
        fails=True,
    ),
    Campaign(
        "gateway, stale", "tests.gateway_campaign --mutant stale --seeds {count}", 50, fails=True
    ),
    Campaign(
        "gateway, unreserved",
        "tests.gateway_campaign --mutant unreserved --seeds {count}",
        50,
        fails=True,
    ),
    Campaign("backups", "tests.backup_campaign --backups {count}", 150),
    Campaign("archive", "tests.archive_campaign --events {count}", 10_000_000),
    Campaign("crash drill", "tests.crash_campaign --seeds {count}", 500, least=2),
    Campaign("a month's memory", "tests.gateway_life --days {count}", 30, least=7),
    Campaign("a month's soak", "tests.gateway_week --days {count}", 30, least=1),
)


def run(campaign: Campaign, scale: float, folder: Path) -> str:
    """Run one; return what came of it in a word. What it said is in a file of its own."""
    log = folder / f"{campaign.name.replace(',', '').replace(' ', '-')}.log"
    with log.open("w", encoding="utf-8") as file:
        words = campaign.words(scale)
        done = subprocess.run(words, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, check=False)
    if done.returncode == INCONCLUSIVE:
        return "inconclusive"
    return "ok" if bool(done.returncode) is campaign.fails else f"FAILED, see {log}"


def lines(chosen: list[Campaign], scale: float, folder: Path) -> Iterator[tuple[str, str]]:
    for campaign in chosen:
        say(f"{campaign.name}: {' '.join(campaign.words(scale)[1:])}")
        began = time.monotonic()
        outcome = run(campaign, scale, folder)
        say(f"    {outcome}, {time.monotonic() - began:.0f} s")
        yield campaign.name, outcome


def main() -> int:
    """Run what was chosen; 1 where one failed, 3 where none did and one tried nothing."""
    parser = argparse.ArgumentParser(prog="make campaign", description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=[each.name for each in CAMPAIGNS])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--logs", type=Path, default=Path("var/campaigns"))
    asked = parser.parse_args()
    asked.logs.mkdir(parents=True, exist_ok=True)
    chosen = [each for each in CAMPAIGNS if asked.only in {None, each.name}]
    outcomes = dict(lines(chosen, asked.scale, asked.logs))
    wrong = [name for name, outcome in outcomes.items() if outcome.startswith("FAILED")]
    untried = [name for name, outcome in outcomes.items() if outcome == "inconclusive"]
    say(f"{len(chosen) - len(wrong) - len(untried)} ok, failed: {', '.join(wrong) or 'none'}")
    if untried:
        say(f"inconclusive, nothing was tried: {', '.join(untried)}")
    return 1 if wrong else INCONCLUSIVE if untried else 0


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what it is for


if __name__ == "__main__":
    sys.exit(main())
