"""Runs the real daemon on a disk that fails it, and looks at what it has done and what is left.

    .venv/bin/python -m tests.disk_campaign --every 1 --rounds 50 --seed 1

A backtest has each of its writes and syncs fail in turn, once and for ever (disk_backtests.py); a
daemon that trades in a market outside (live_desk.py) meets failing calls, a disk that fills up, a
file system that turns read-only, and a limit on its files. Nothing may leave after the first
failure, it ends with 74, nothing acknowledged is lost, and a start on a disk that works goes on. A
build that goes on after a failed append must be found. 1: something was found, 3: something could
not be tried.
"""

import argparse
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from events import KILL_SWITCH, OrderSending, Trip
from events.journal import JournalReader
from tests.disk_backtests import (
    WRITE_FAILED,
    Ended,
    Tally,
    every_call,
    quota,
    short,
    words_of,
)
from tests.faulty_disk import (
    Fault,
    fill,
    injected,
    short_writes,
    wait_for_tracer,
    why_not_traced,
)
from tests.live_desk import ROOT, Daemon
from tests.mounts import MOUNT, in_a_namespace_of_its_own, mounted

ENDS_S: Final = 60.0
CONTROL_ENDS_S: Final = 10.0
SETTLES_S: Final = 0.1
MAKE_EXT4: Final = Path("/sbin/mkfs.ext4")
DISK: Final = "size=40m"
LOW_DISK: Final = ["journal.disk_warn_mb=30", "journal.disk_halt_mb=20", "journal.disk_look_s=1"]
NO_GUARD: Final = ["journal.disk_warn_mb=1", "journal.disk_halt_mb=1"]
FAILS: Final = """\
            )
            raise JournalWriteFailed(message) from error
        self.head ="""
GOES_ON: Final = (
    ("            self.poisoned = True\n            if not", "            if not"),
    (FAILS, FAILS.replace("            raise JournalWriteFailed(message) from error\n", "")),
)
"""What makes of the journal one that goes on after a failed append."""


def broken(
    daemon: Daemon, breaks: Callable[[], None], ends_s: float = ENDS_S
) -> tuple[int | None, list[str]]:
    """Start a daemon, break its disk, say how it ended and what is wrong with that.

    It ended with None where it goes on for `ends_s`.
    """
    daemon.start()
    breaks()
    problems = list[str]()
    try:
        code: int | None = daemon.running.wait(ends_s)
    except subprocess.TimeoutExpired:
        code = None
        problems.append(f"it goes on {ends_s} s later")
        daemon.kill()
    if code is not None:
        problems += words_of(Ended(code, daemon.log))
        if code != WRITE_FAILED:
            problems.append(f"it ended with {code}, not {WRITE_FAILED}")
    time.sleep(SETTLES_S)
    return code, problems


def trades(daemon: Daemon, chance: random.Random) -> None:
    """Let it trade up to a random moment."""
    daemon.busy()
    time.sleep(chance.uniform(0, 0.3))


def unrecorded(daemon: Daemon) -> Iterator[str]:
    """Say which orders the market heard that the journal has not, or heard twice."""
    with JournalReader(daemon.journal) as reader:
        sending = {str(record.event.key()) for record in reader.of_kind(OrderSending)}
        yield from (f"verify finds: {finding.what}" for finding in reader.check())
    heard = Counter(order for _, order in daemon.market.heard("sent", "rests"))
    lost = [order for order in heard if order not in sending]
    if lost:
        yield f"{len(lost)} orders left that the journal has not"
    if twice := [order for order, times in heard.items() if times > 1]:
        yield f"{len(twice)} orders left twice"


def late(daemon: Daemon, log: Path) -> Iterator[str]:
    """Say which orders left behind the first call that failed, by strace's `log`."""
    first = min(injected(log))
    if found := daemon.market.heard("sent", "rests", after=first):
        yield f"{len(found)} orders left after the first failure"


def heals(daemon: Daemon) -> Iterator[str]:
    """Start it on a disk that works, and say what is wrong with it then."""
    if left := daemon.market.resting():
        yield f"{len(left)} orders that rested were not cancelled"
    # What was cancelled unrecorded holds the next start: a person lifts it.
    kept = daemon.market.heard("cancel") and "could not be kept" not in daemon.log
    expected = [Trip.JOURNAL_DOUBT] if kept else []
    daemon.under = ()
    daemon.start()
    holds = daemon.holds()
    if [hold.cause for hold in holds] != expected:
        yield f"the next start is held by {[hold.cause for hold in holds]}, not by {expected}"
        return
    for hold in holds:
        daemon.tell_surely("lift", hold=hold.hold_id)
    daemon.busy()
    daemon.kill()
    yield from unrecorded(daemon)


def wait_for_fault(daemon: Daemon, log: Path) -> None:
    """Wait until a call has failed, or it is clear that none will."""
    ends = time.monotonic() + ENDS_S
    while not injected(log) and daemon.running.poll() is None and time.monotonic() < ends:
        time.sleep(0.05)


def calls_fail(
    folder: Path, rounds: int, seed: int, code: Path = ROOT, ends_s: float = ENDS_S
) -> Tally:
    """Let one call of the journal's thread fail while orders leave, or it and all behind it."""
    chance, tally = random.Random(seed), Tally("trading, failing calls")
    errors = ("EIO", "ENOSPC", "EROFS", "EDQUOT")
    kinds = [("fdatasync", "EIO"), *(("pwrite64", error) for error in errors)]
    for number in range(rounds):
        calls, error = kinds[number % len(kinds)]
        first = 150 if calls == "fdatasync" else 600
        fault = Fault(calls, error, chance.randrange(first, 4 * first), chance.random() < 1 / 2)
        with a_daemon(folder / f"{number}-calls", code) as daemon:
            log = daemon.folder / "faults.log"
            daemon.under = fault.words(log)
            ended, problems = broken(daemon, partial(wait_for_fault, daemon, log), ends_s)
            wait_for_tracer(log)
            if injected(log):
                problems += [*late(daemon, log), *unrecorded(daemon)]
                if ended is not None:
                    problems += heals(daemon)
                tally.note(ended, len(injected(log)), [f"{fault}: {text}" for text in problems])
    return tally


def files_limited(folder: Path, rounds: int, seed: int) -> Tally:
    """Forbid it, at a random moment, to let a file grow beyond a little more than it has."""
    chance, tally = random.Random(seed), Tally("trading, files no larger than so")

    def limit(daemon: Daemon) -> None:
        trades(daemon, chance)
        size = chance.randrange(2**16, 2**22)  # More than what it says takes.
        resource.prlimit(daemon.running.pid, resource.RLIMIT_FSIZE, (size, size))

    for number in range(rounds):
        with a_daemon(folder / f"{number}-limit") as daemon:
            code, problems = broken(daemon, partial(limit, daemon))
            tally.note(code, 1, [*problems, *unrecorded(daemon), *heals(daemon)])
    return tally


def disk_fills(folder: Path, rounds: int, seed: int) -> Tally:
    """Fill its disk at a random moment; every other time it is killed, too, while that is full."""
    chance, tally = random.Random(seed), Tally("trading, a disk that fills up")

    def fills(daemon: Daemon) -> None:
        trades(daemon, chance)
        fill(daemon.journal.parent, chance.choice([0, chance.randrange(2**22)]))

    for number in range(rounds):
        disk = folder / f"{number}-disk"
        with (
            mounted(disk, "-t", "tmpfs", "-o", DISK, "tmpfs"),
            a_daemon(folder / f"{number}-full", disk=disk, settings=NO_GUARD) as daemon,
        ):
            code, problems = broken(daemon, partial(fills, daemon))
            problems += unrecorded(daemon)
            is_killed = bool(number % 2)
            if is_killed:
                fill(disk)  # What its end has freed, too.
                problems += killed_offline(daemon)
            (disk / "filler").unlink()
            problems += held_by_the_kill(daemon) if is_killed else heals(daemon)
            tally.note(code, 1, [f"round {number}: {text}" for text in problems])
    return tally


def killed_offline(daemon: Daemon) -> Iterator[str]:
    """Kill it as a person does who finds it dead on a full disk; say what did not work."""
    done = daemon.traded("kill", "--offline", "--why", "the disk is full")
    if daemon.permit.exists():
        yield f"the permit is still there: {done.stdout}{done.stderr}"
    if done.returncode or "Traceback" in done.stderr:
        yield f"kill --offline ended with {done.returncode}: {done.stdout}{done.stderr}"


def held_by_the_kill(daemon: Daemon) -> Iterator[str]:
    """Start it, and say whether the kill does not hold it, as the one that was given."""
    daemon.start()
    daemon.wait("record of the kill", lambda: daemon.tell("ping").exit_code == 0)
    time.sleep(SETTLES_S)
    # Where the kill found room in the journal, the last word alone makes that doubtful.
    holds = [hold for hold in daemon.holds() if hold.cause != Trip.JOURNAL_DOUBT]
    if [hold.cause for hold in holds] != [KILL_SWITCH]:
        yield f"it is held by {[hold.cause for hold in holds]}"
    elif "the disk is full" not in holds[0].why:
        yield f"the reason that was given is lost: {holds[0].why}"
    daemon.kill()


def turns_read_only(folder: Path, rounds: int, seed: int) -> Tally:
    """Turn its file system read-only in the middle, as ext4 itself does when it finds an error."""
    chance, tally = random.Random(seed), Tally("trading, a file system that turns read-only")
    if not MAKE_EXT4.exists() or not Path("/dev/loop-control").exists():
        tally.why_not = "mkfs.ext4 or the loop device is missing"
        return tally

    def aborts(daemon: Daemon) -> None:
        trades(daemon, chance)
        subprocess.run([MOUNT, "-o", "remount,abort", daemon.journal.parent], check=True)

    for number in range(rounds):
        image, disk = folder / f"{number}.img", folder / f"{number}-ext4"
        with image.open("wb") as file:
            file.truncate(64 * 2**20)
        subprocess.run([MAKE_EXT4, "-qF", image], check=True)
        with a_daemon(folder / f"{number}-ro", disk=disk, settings=NO_GUARD) as daemon:
            with mounted(disk, "-o", "loop", str(image)):
                code, problems = broken(daemon, partial(aborts, daemon))
            with mounted(disk, "-o", "loop", str(image)):
                problems += [*unrecorded(daemon), *heals(daemon)]
            tally.note(code, 1, [f"round {number}: {text}" for text in problems])
        image.unlink()
    return tally


def guard(folder: Path) -> Tally:
    """Let the room fall below both levels: at first it is said, then nothing new is begun."""
    tally, disk = Tally("trading, the disk guard"), folder / "low"
    with (
        mounted(disk, "-t", "tmpfs", "-o", "size=100m", "tmpfs"),
        a_daemon(folder / "guard", disk=disk, settings=LOW_DISK, calm=True) as daemon,
    ):
        daemon.start()
        daemon.busy()
        problems = [] if "are wanted" not in daemon.traded("status").stdout else ["warned early"]
        fill(disk, 26_000_000)
        if "are wanted" not in daemon.traded("status").stdout:
            problems.append("status does not warn")
        daemon.busy()  # It trades on.
        fill(disk, 15_000_000)
        held = lambda: Trip.DISK_LOW in {hold.cause for hold in daemon.holds()}  # noqa: E731 - asked again and again
        daemon.wait("hold", held, ENDS_S)
        after = time.monotonic()
        time.sleep(2.5)  # Two bars of every symbol, of which some would be traded.
        if found := daemon.market.heard("sent", "rests", after=after):
            problems.append(f"{len(found)} orders left below the halt level")
        daemon.tell_surely("cancel-all")  # Cancels leave all the same.
        daemon.wait("cancels", lambda: not daemon.market.resting(), ENDS_S)
        (disk / "filler").unlink()
        for hold in daemon.holds():
            daemon.tell_surely("lift", hold=hold.hold_id)
        daemon.wait("orders", lambda: daemon.market.heard("sent", after=after), ENDS_S)
        tally.note(daemon.end(), 2, problems)
    return tally


@contextmanager
def a_daemon(folder: Path, code: Path = ROOT, **parts: Any) -> Iterator[Daemon]:  # noqa: ANN401 - the daemon's
    """Make the place of a daemon that is started by others; end it, and remove it, at the end."""
    daemon = Daemon(folder, code, **parts)
    try:
        yield daemon
    finally:
        daemon.close()
        shutil.rmtree(folder)


def a_build_that_goes_on(folder: Path) -> Path:
    """Copy the daemon into `folder`, so that it takes no notice of a failed append."""
    for package in ("daemon", "events", "projections", "ops"):
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    journal = folder / "events" / "journal.py"
    source = journal.read_text(encoding="utf-8")
    for before, after in GOES_ON:
        assert source.count(before) == 1, "the journal looks otherwise by now"
        source = source.replace(before, after)
    journal.write_text(source, encoding="utf-8")
    return folder


def control(folder: Path, seed: int) -> Tally:
    """Let calls of a build that goes on fail: that it does must be found."""
    build = a_build_that_goes_on(folder / "build")
    tally = calls_fail(folder, 2, seed, build, CONTROL_ENDS_S)
    found, tally.found = tally.found, []
    tally.part = "a build that goes on after a failed append"
    if not any("orders left" in text for text in found):
        tally.found.append(f"NOT FOUND: no order is seen to leave too much in {found}")
    return tally


def tried(part: str, folder: Path, asked: argparse.Namespace) -> Iterator[Tally]:
    """Yield what a part of the campaign comes to, or why it cannot be tried here."""
    why_not = ""
    if part in TRACED:
        why_not = why_not_traced(folder)
    elif part in MOUNTED:
        why_not = in_a_namespace_of_its_own()
    if why_not:
        yield Tally(part, why_not=why_not)
        return
    match part:
        case "every":
            yield from every_call(folder, asked.every, asked.seed)
        case "short":
            yield short(folder, asked.every, short_writes(folder))
        case "quota":
            yield quota(folder, asked.rounds, asked.seed)
        case "control":
            yield control(folder, asked.seed)
        case "guard":
            yield guard(folder)
        case _:
            yield ROUNDS[part](folder, asked.rounds, asked.seed)


ROUNDS: Final[Mapping[str, Callable[[Path, int, int], Tally]]] = {
    "calls": calls_fail,
    "limit": files_limited,
    "full": disk_fills,
    "read-only": turns_read_only,
}
TRACED: Final = ("every", "calls", "control")
MOUNTED: Final = ("full", "read-only", "guard")
PARTS: Final = (*TRACED, "short", "quota", "limit", *MOUNTED)


def main() -> int:
    """Run a campaign and say how it went."""
    parser = argparse.ArgumentParser(prog="python -m tests.disk_campaign")
    parser.add_argument("--part", choices=PARTS, action="append", help="only that; all otherwise")
    parser.add_argument("--every", type=int, default=20, help="try every n-th call alone; 1: each")
    parser.add_argument("--rounds", type=int, default=50, help="of each kind while it trades")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    codes = set()
    with tempfile.TemporaryDirectory(prefix="traded-disk-") as name:
        for part in asked.part or PARTS:
            folder = Path(name) / part
            folder.mkdir()
            for tally in tried(part, folder, asked):
                say(str(tally))
                codes.add(tally.code)
    return 1 if 1 in codes else max(codes)


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the campaign's report, for a person


if __name__ == "__main__":
    sys.exit(main())
