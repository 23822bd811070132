"""Negative controls: daemons that go by the wall clock alone, or forget; a walk must notice."""

from tests.simulation.mutants import Mutant

MUTANTS = {
    "go-by-the-wall-clock-alone": Mutant(
        "daemon/clock.py",
        "        if abs(ahead) <= JUMP_MAX_NS and asleep <= JUMP_MAX_NS:",
        "        if True:",
    ),
    "fire-by-the-wall-clock-alone": Mutant(
        "daemon/clock.py",
        "        return self._agreed.wall + self._read().passed - self._agreed.passed",
        "        return self._read().wall",
    ),
    "forget-what-has-fired": Mutant(
        "projections/timers.py",
        "            self.fired[event.subject] = event\n",
        "            pass\n",
    ),
    "wait-for-every-due-time-that-was-slept-through": Mutant(
        "daemon/core/deadlines.py",
        "        if newest is None or newest <= timer.due:",
        "        if True:",
    ),
    "wait-only-for-what-comes-due-from-now-on": Mutant(
        "daemon/core/deadlines.py",
        "        after = self._began - _INSTANT if fired is None else fired.due + SAME_SESSION",
        "        after = now - _INSTANT if fired is None else fired.due + SAME_SESSION",
    ),
    "end-a-day-again": Mutant(
        "projections/pnl.py",
        "        if day[1] <= nanoseconds(self.day_started):\n            return\n",
        "",
    ),
    "wait-for-a-time-that-was-yesterday": Mutant(
        "daemon/core/core.py",
        "        if was_set_back:",
        "        if False:",
    ),
    "start-before-its-own-past": Mutant(
        "daemon/session.py",
        "    if behind_ns > JUMP_MAX_NS:",
        "    if False:",
    ),
    "have-midnight-in-winters-time": Mutant(
        "daemon/new_york.py",
        "    return datetime.combine(day, at, _ZONE).astimezone(UTC)",
        "    return datetime.combine(day, at, ZoneInfo('Etc/GMT+5')).astimezone(UTC)",
    ),
}
