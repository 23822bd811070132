"""Negative controls: the daemon with one promise taken out, which the simulation must notice.

A mutant is the source of one module with one passage changed, imported in a process of its own; no
file is touched.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import msgspec

ROOT = Path(__file__).parents[2]


class Mutant(msgspec.Struct, frozen=True):
    """`before` stands once in `path`, and becomes `after`."""

    path: str
    before: str
    after: str

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").replace("/", ".")

    @property
    def source(self) -> str:
        whole = (ROOT / self.path).read_text(encoding="utf-8")
        assert whole.count(self.before) == 1, f"{self.path} has changed: give the mutant new text"
        return whole.replace(self.before, self.after)


MUTANTS = {
    "send before the commit": Mutant(
        "daemon/engine.py",
        """            if records:
                await self.commits.write(records, self.timing.turn())
            self._commands.answer(records)
            self._act(effects)
""",
        """            self._act(effects)
            if records:
                await self.commits.write(records, self.timing.turn())
            self._commands.answer(records)
""",
    ),
    "send again after silence": Mutant(
        "daemon/core/core.py",
        "            self.breaker.look_at_broker()\n",
        """            self.breaker.look_at_broker()
            from daemon.gate.decision import approve
            self.recorder.effects.append(approve(self.state.orders.open[order_id].intent, ()))
""",
    ),
    "forget what an unknown order reserves": Mutant(
        "projections/order_states.py",
        """        S.PARTIALLY_FILLED,
        S.UNKNOWN,
    },
)
\"\"\"What is left""",
        """        S.PARTIALLY_FILLED,
    },
)
\"\"\"What is left""",
    ),
    "do not look at the witness": Mutant(
        "events/witness.py",
        "    if witness is None:\n        if head.seq > 1:",
        "    return\n    if witness is None:\n        if head.seq > 1:",
    ),
    "do not look at the holds before sending": Mutant(
        "daemon/core/last_look.py",
        "    return KILLED if switch.latched else stopped_since(intent, state)\n",
        "    return KILLED if switch.latched else ''\n",
    ),
    "take a fill that is said twice for two": Mutant(
        "daemon/core/report_desk.py", "        if orders.is_repeat(fill):", "        if False:"
    ),
    "fold a fill twice": Mutant(
        "projections/cash.py",
        "        self.balance -= value\n",
        "        self.balance -= 2 * value\n",
    ),
    "recover without the last turn": Mutant(
        "daemon/history/recovery.py",
        "        for turn in self._turns(start, upto):",
        "        for turn in list(self._turns(start, upto))[:-1]:",
    ),
}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self._mutant.module:
            return None
        place = ROOT / self._mutant.path
        return importlib.util.spec_from_file_location(name, place, loader=self)

    def create_module(self, _spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        code = compile(self._mutant.source, self._mutant.path, "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - our own source, with one passage changed


def infect(mutant: Mutant) -> None:
    """Let this process import `mutant`; nothing of ours may have been imported yet."""
    assert mutant.module not in sys.modules, f"{mutant.module} has been imported already"
    sys.meta_path.insert(0, _Finder(mutant))
