"""Stops the real daemon's trading in every way there is, and times what leaves all the same.

The daemon trades as fast as its journal takes it, its market outside (tests/live_desk.py). Each
trial stops it in one way, and asks when that was acknowledged, which orders left later, and how
long the cancels of what was working took; then it is resumed. More than the suite has time for:

    .venv/bin/python -m tests.kill_switch_campaign --trials 500
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from daemon.control.protocol import VERSION, Request, decode_answer, encode_line
from daemon.stopping.side_file import side_file_path
from events import KILL_SWITCH
from tests.live_desk import ROOT, Daemon

ACKNOWLEDGED_S: Final = 1.0
CANCELLED_S: Final = 5.0
TRIES: Final = 3
"""A time that is missed so often in a row is the daemon's, not that of a machine busy elsewhere."""
AT_HAND: Final = 1
"""How many orders may leave that had looked at the permit file just before that was gone."""
TOLD_EVERY: Final = 50
A_PLACE: Final = 100
"""How many trials one daemon has, so that it comes nowhere near the most orders of a day."""
SETTLES_S: Final = 0.05
"""How long the market is listened to behind the last cancel: what is late comes within that."""
HANGS_S: Final = 1.5
"""Longer than a kill may take to be acknowledged, so that it always comes into the hang."""
IGNORES: Final = (
    "        if self.settings.dry_run:\n",
    '        if True:\n            return ""\n        if self.settings.dry_run:\n',
)
"""What makes of the engine's last look before an order leaves one that sees nothing."""


@dataclass
class Stop:
    """One stop: when it was acknowledged, on the monotonic clock, and how long that took."""

    acknowledged: float
    took: float


@dataclass
class Trial:
    """What one stop came to: `late` are the seconds behind it at which orders left all the same.

    `cancelled` is how long the last cancel of a working order took.
    """

    way: str
    took: float
    late: list[float]
    cancelled: float
    problems: list[str] = field(default_factory=list)


Way = Callable[[Daemon], Stop]


def by_socket(daemon: Daemon) -> Stop:
    """Kill as `traded kill` does."""
    began = time.monotonic()
    answer = daemon.tell("kill")
    acknowledged = time.monotonic()
    assert answer.exit_code == 0, answer
    return Stop(acknowledged, acknowledged - began)


def by_permit(daemon: Daemon) -> Stop:
    """Remove the permit file, as anybody can who has a shell and nothing else."""
    began = time.monotonic()
    daemon.permit.unlink()
    acknowledged = time.monotonic()
    return Stop(acknowledged, acknowledged - began)


def offline(daemon: Daemon) -> Stop:
    """Kill with `traded kill --offline`: its first line says that nothing leaves any more."""
    first = "the permit is gone" if daemon.permit.exists() else "there was no permit any more"
    words = [sys.executable, "-m", "ops.cli", "kill", "--offline", "--journal", "j.db"]
    began = time.monotonic()
    with subprocess.Popen(
        words, cwd=daemon.folder, env=daemon.environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None, "it has a pipe"
        said = process.stdout.readline()
        acknowledged = time.monotonic()
        process.stdout.read()
    assert (said.split(":")[0], process.returncode) == (first, 0)
    return Stop(acknowledged, acknowledged - began)


def in_a_hang(daemon: Daemon) -> Stop:
    """Kill by the socket while a strategy keeps the loop; then it answers with an order."""
    daemon.hang(HANGS_S)
    return by_socket(daemon)


def in_an_endless_loop(daemon: Daemon) -> Stop:
    """Kill offline a daemon whose strategy never comes back."""
    daemon.hang(1e9)
    return offline(daemon)


def while_stopped(daemon: Daemon) -> Stop:
    """Kill offline a daemon that is stopped as a whole."""
    daemon.running.send_signal(signal.SIGSTOP)
    return offline(daemon)


def on_a_full_disk(daemon: Daemon) -> Stop:
    """Kill by the socket a daemon that cannot write any more: it ends, and answers or not.

    Where nobody answered, the kill may have come too late: it is said once more, offline, to a
    daemon that is down.
    """
    daemon.fill_disk()
    request = Request(VERSION, "kill", f"test-{time.monotonic_ns()}", "a test")
    began = time.monotonic()
    try:
        line = daemon.say(encode_line(request))
    except OSError:
        line = b""  # It ended before it could be told, for the disk's sake alone.
    acknowledged = time.monotonic()
    if not line:
        daemon.running.wait(20)
        return offline(daemon)
    decode_answer(line)
    return Stop(acknowledged, acknowledged - began)


WAYS: Final[Mapping[str, Way]] = {
    "socket": by_socket,
    "permit": by_permit,
    "offline": offline,
    "hang": in_a_hang,
}
"""The daemon lives on, and is resumed."""
DEADLY: Final[Mapping[str, Way]] = {
    "endless loop": in_an_endless_loop,
    "stopped": while_stopped,
    "full disk": on_a_full_disk,
}
"""The daemon is ended by it, and the next start must be on HALT."""


def trial(daemon: Daemon, way: str, chance: random.Random) -> Trial:
    """Stop a busy daemon in that way at a random moment, and look what it came to."""
    daemon.busy()
    time.sleep(chance.uniform(0, 0.2))
    market = daemon.market
    deadly = way in DEADLY
    stop = (DEADLY if deadly else WAYS)[way](daemon)
    problems = list(_restarted(daemon, way)) if deadly else []
    gone = _wait_for_cancels(daemon)
    time.sleep(SETTLES_S)
    # Whoever removes a file cannot know of the order that is just being written to the market.
    at_hand = 0 if way in {"socket", "hang", "full disk"} else AT_HAND
    late = [at - stop.acknowledged for at, _ in market.heard("sent", "rests")]
    late = sorted(seconds for seconds in late if seconds > 0)
    cancels = [at - stop.acknowledged for at, _ in market.heard("cancel")]
    problems += _not_held(daemon)
    return Trial(
        way,
        stop.took,
        late[at_hand:],
        max(cancels, default=0.0) if gone else float("inf"),
        problems,
    )


def _wait_for_cancels(daemon: Daemon) -> bool:
    """Wait until no order rests that was not asked to be cancelled; say whether that came."""
    ends = time.monotonic() + CANCELLED_S
    while daemon.market.resting():
        if time.monotonic() > ends:
            return False
        time.sleep(0.005)
    return True


def _restarted(daemon: Daemon, way: str) -> Iterator[str]:
    """Let the daemon end as it must, and start it again."""
    expected = 74 if way == "full disk" else -signal.SIGKILL
    code = daemon.running.wait(20)
    if code != expected:
        yield f"it ended with {code}, not {expected}: {daemon.log[-500:]}"
    if daemon.permit.exists():
        yield "its permit is still there"
    daemon.start()


def _not_held(daemon: Daemon) -> Iterator[str]:
    """Say whether anything but the kill switch, once, holds everything."""
    daemon.wait("record of the kill", lambda: daemon.tell("ping").exit_code == 0)
    found = daemon.holds()
    if [hold.cause for hold in found] != [KILL_SWITCH]:
        yield f"it is held by {[(hold.cause, hold.why) for hold in found]}"


def resume(daemon: Daemon) -> None:
    """Let it trade again."""
    answer = daemon.tell_surely("resume")
    assert answer.exit_code == 0, answer


def trials(folder: Path, way: str, number: int, seed: int) -> Iterator[tuple[Trial, int]]:
    """Yield so many trials, and how many orders left in each; before each the daemon trades."""
    chance = random.Random(f"{seed} {way}")
    for first in range(0, number, A_PLACE):
        with a_place(folder / f"{way} {first}".replace(" ", "-")) as daemon:
            for _ in range(min(A_PLACE, number - first)):
                found = trial(daemon, way, chance)
                resume(daemon)
                yield found, daemon.market.forget()


def put_on_its_feet(daemon: Daemon) -> None:
    """Have a daemon that trades, whatever the trial before has left: the next one begins anew."""
    try:
        answers = daemon.running.poll() is None and daemon.tell("ping").exit_code == 0
    except OSError:
        answers = False
    if not answers:
        daemon.kill()
        side_file_path(daemon.journal).unlink(missing_ok=True)
        daemon.start()
    if daemon.holds() or not daemon.permit.exists():
        resume(daemon)
    for hold in daemon.holds():
        assert daemon.tell_surely("lift", hold=hold.hold_id).exit_code == 0


@contextmanager
def a_place(folder: Path, code: Path = ROOT) -> Iterator[Daemon]:
    """Start a daemon of that build, and end it whatever comes."""
    daemon = Daemon(folder, code)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.close()


def a_build_that_ignores_the_switch(folder: Path) -> Path:
    """Copy the daemon into `folder`, its last look before an order leaves taken out."""
    for package in ("daemon", "events", "projections", "ops"):
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    engine = folder / "daemon" / "engine.py"
    source = engine.read_text(encoding="utf-8")
    assert source.count(IGNORES[0]) == 1, "the engine looks otherwise by now"
    engine.write_text(source.replace(*IGNORES), encoding="utf-8")
    return folder


def wrong(found: Trial) -> Iterator[str]:
    """Say what of a trial breaks a promise."""
    yield from slow(found)
    yield from broken(found)


def slow(found: Trial) -> Iterator[str]:
    """Say which time was missed: by the daemon, or by a machine that gave it none."""
    if found.took > ACKNOWLEDGED_S:
        yield f"acknowledged after {found.took:.2f} s"
    if found.cancelled > CANCELLED_S:
        yield f"the last cancel was asked for {found.cancelled:.2f} s later"


def broken(found: Trial) -> Iterator[str]:
    """Say what is wrong on any machine, however slow."""
    if found.late:
        yield f"{len(found.late)} orders left later, the last {max(found.late):.3f} s later"
    yield from found.problems


def in_time(attempt: Callable[[], Trial], tries: int = TRIES) -> Trial:
    """Return the first trial that is not too slow, of so many at the most, else the last.

    What is broken is returned at once: no second trial makes up for that.
    """
    for _ in range(tries - 1):
        found = attempt()
        if not list(slow(found)) or list(broken(found)):
            return found
    return attempt()


def main() -> int:
    """Run a campaign and say how it went; return 1 when a promise was broken.

    A time that is missed is told and counted. It breaks the promise when it is missed thrice in a
    row: that is no longer a machine busy elsewhere.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.kill_switch_campaign")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--ways", default=",".join([*WAYS, *DEADLY]), help="comma-separated")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    sound = True
    with tempfile.TemporaryDirectory(prefix="traded-stops-") as name:
        for way in asked.ways.split(","):
            sound &= course(Path(name), way, asked.trials, asked.seed)
        texts = negative_control(Path(name))
        say(f"a build that ignores the switch: {'; '.join(texts) or 'NOT FOUND'}")
    return 0 if sound and texts else 1


def course(folder: Path, way: str, number: int, seed: int) -> bool:
    """Run the trials of one way and tell what they came to; say whether all promises held."""
    began, done, orders, sound = time.monotonic(), list[Trial](), 0, True
    for found, left in trials(folder, way, number, seed):
        done.append(found)
        orders += left
        for text in wrong(found):
            say(f"{way}, trial {len(done)}: {text}")
        thrice = len(done) >= TRIES and all(list(slow(each)) for each in done[-TRIES:])
        sound = sound and not thrice and not list(broken(found))
        if len(done) % TOLD_EVERY == 0 or len(done) == number:
            spent = time.monotonic() - began
            say(f"{way}: {len(done)} trials in {spent:.0f} s, {orders} orders; {told(done)}")
    return sound


def told(done: list[Trial]) -> str:
    """Say what so many trials came to, times in seconds: of each the median and the worst."""
    took, cancelled = sorted(each.took for each in done), sorted(each.cancelled for each in done)
    middle = len(done) // 2
    return (
        f"orders later {sum(len(each.late) for each in done)}; "
        f"acknowledged after {took[middle]:.3f}, {took[-1]:.3f}; "
        f"last cancel asked for after {cancelled[middle]:.3f}, {cancelled[-1]:.3f}; "
        f"too slow {sum(bool(list(slow(each))) for each in done)}"
    )


def negative_control(folder: Path) -> list[str]:
    """Say what is found of a daemon that ignores the switch: something must be."""
    code = a_build_that_ignores_the_switch(folder / "build")
    with a_place(folder / "ignores", code) as daemon:
        return list(wrong(trial(daemon, "hang", random.Random(1))))


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the campaign's report, for a person


if __name__ == "__main__":
    sys.exit(main())
