"""`traded drill crash` on the golden journals: every promise kept, and every mutant found.

A mutant is the daemon with one promise taken out: the drill must see that, or it proves nothing.
"""

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from daemon.engine import Engine
from daemon.exit_codes import ExitCode
from daemon.gate.decision import approve
from events.journal import JournalReader
from ops.drills.crash import CrashDrill, CrashDriller, crash
from projections.order_states import OrderState
from projections.orders import Orders
from tests.command_line import traded

GOLDEN = Path(__file__).parents[1] / "golden"
FIRST, LAST = 30, 110
"""Of the paper journal: an order stays unanswered there, others rest, fill and are cancelled."""


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    for file in GOLDEN.glob("*.db*"):
        shutil.copy(file, tmp_path / file.name)
    return tmp_path / "paper.db"


def drilled(journal: Path, first: int = FIRST, last: int = LAST) -> CrashDrill:
    place = journal.with_name("scratch")
    place.mkdir()
    drill = CrashDrill(str(journal), first, last, 1)
    with JournalReader(journal) as reader:
        asyncio.run(CrashDriller(reader, place, drill).run())
    return drill


def test_a_crash_behind_any_turn_keeps_every_promise(journal: Path) -> None:
    drill = drilled(journal)
    assert drill.findings == []
    assert drill.prefixes > 30
    assert set(drill.starts) == {
        *("as recorded", "acknowledgements lost", "everything twice", "out of order"),
        "never arrived",
    }
    assert drill.in_doubt
    assert drill.sent
    assert drill.reports


def test_a_journal_of_the_gateway_keeps_them_too(journal: Path) -> None:
    drill = drilled(journal.with_name("gateway.db"), 1, 10**6)
    assert drill.findings == []
    assert drill.prefixes > 60


def test_the_journal_is_only_read_and_the_result_is_told_in_a_few_lines(journal: Path) -> None:
    before = journal.read_bytes()
    words = ("drill", "crash", "--journal", journal, "--from", "60", "--to", "75")
    said = traded(*words)
    assert (said.returncode, said.stderr) == (0, "")
    assert "every promise was kept" in said.stdout
    assert len(said.stdout.splitlines()) < 20
    shown = json.loads(traded(*words, "--json").stdout)
    assert (shown["first"], shown["last"], shown["findings"]) == (60, 75, [])
    assert journal.read_bytes() == before


def test_a_stretch_of_no_turns_is_a_question_and_not_a_success(journal: Path) -> None:
    words = ("drill", "crash", "--journal", journal)
    assert traded(*words, "--from", "90", "--to", "80").returncode == 2
    said = traded(*words, "--from", "1", "--to", "1")
    assert "nothing was drilled" in said.stdout
    assert "kept" not in said.stdout


def resend_blindly(patched: pytest.MonkeyPatch) -> None:
    """At the start, send once more what has no answer."""
    connect = Engine.connect_broker

    async def connect_and_send(self: Engine) -> None:
        await connect(self)
        for order in tuple(self.core.state.orders.open.values()):
            if order.state is OrderState.SENDING:
                self.broker.submit(approve(order.intent, ()))

    patched.setattr(Engine, "connect_broker", connect_and_send)


def fold_a_fill_twice(patched: pytest.MonkeyPatch) -> None:
    """Take a fill that is reported again for another one."""
    patched.setattr(Orders, "is_repeat", lambda _self, _event: False)


def forget_what_was_sent(patched: pytest.MonkeyPatch) -> None:
    """Never give an order up that nobody answers."""
    patched.setattr("daemon.core.deadlines.Deadlines.overdue", lambda _self, _timer: "")


def act_before_the_record(patched: pytest.MonkeyPatch) -> None:
    """Send as soon as it is decided."""
    turn = Engine._turn  # noqa: SLF001 - a mutant changes what it changes

    async def act_first(self: Engine) -> None:
        effects, self.recorder.effects = self.recorder.effects, []
        self._act(effects)
        await turn(self)

    patched.setattr(Engine, "_turn", act_first)


@pytest.mark.parametrize(
    ("mutate", "found"),
    [
        (resend_blindly, "is sent a second time"),
        (fold_a_fill_twice, "in the books"),
        (forget_what_was_sent, "is not UNKNOWN"),
        (act_before_the_record, "before its sending is recorded"),
    ],
)
def test_a_daemon_with_a_promise_taken_out_is_found(
    journal: Path,
    monkeypatch: pytest.MonkeyPatch,
    mutate: Callable[[pytest.MonkeyPatch], None],
    found: str,
) -> None:
    mutate(monkeypatch)
    findings = drilled(journal).findings
    assert any(found in each.what for each in findings), findings
    first = findings[0]
    assert f"--from {first.seq} --to {first.seq} --seed 1" in first.repeat


def test_a_broken_promise_is_said_with_the_command_that_shows_it_and_ends_with_3(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resend_blindly(monkeypatch)
    said = CliRunner().invoke(crash, ["--journal", str(journal), "--from", "60", "--to", "75"])
    assert said.exit_code == ExitCode.FINDINGS
    assert "is sent a second time" in said.output
    assert f"traded drill crash --journal {journal} --from " in said.output
    assert "every promise was kept" not in said.output
