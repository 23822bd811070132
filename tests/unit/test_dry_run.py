"""A dry run: the default at every broker outside, said where it matters, honestly recorded."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from daemon.brokers.paper import PaperBroker
from daemon.config.backtest_id import backtest_id
from daemon.config.file import ConfigError, load, to_event
from daemon.config.options import BrokerConfig, Config
from daemon.core.core import CoreSettings
from daemon.core.start_doubts import doubt_of_config
from daemon.history.recovery import Recovered
from daemon.session import Opening, opening
from events import (
    ClientOrderId,
    ConfigLoaded,
    JournalOpened,
    Mode,
    OrderAcknowledged,
    OrderSending,
    OrderWithheld,
)
from events.codec import JournalEvent
from events.journal import Head
from ops.sentences import sentence
from projections import State
from projections.order_states import OrderState
from tests.broker_desk import PLAIN
from tests.builders import a_config, an_order, fold, utc
from tests.engine_desk import Blocks

NOON = utc("2024-01-02T17:00")
OUTSIDE = 'mode = "live"\nbroker.kind = "mine:Market"\n'


class OutsideBroker(PaperBroker):
    """A broker of which the session only needs to know where it is."""

    outside = True


def configured(folder: Path, text: str = "", **environment: str) -> Config:
    path = folder / "traded.toml"
    path.write_text(f'{text}symbols.A = {{}}\nfeed.paths = ["bars"]', encoding="utf-8")
    path.chmod(0o600)
    return load(path, environment)


@pytest.mark.parametrize(
    ("text", "environment", "is_dry"),
    [
        ("", {}, False),
        (OUTSIDE, {}, True),
        ("dry_run = true\n", {}, True),
        (f"dry_run = false\n{OUTSIDE}", {}, False),
        (OUTSIDE, {"TRADED_DRY_RUN": "0"}, False),
        (f"dry_run = false\n{OUTSIDE}", {"TRADED_DRY_RUN": "1"}, True),
        (f"dry_run = true\n{OUTSIDE}", {"TRADED_DRY_RUN": "false"}, False),
        ('mode = "broker-paper"\nbroker.kind = "mine:Market"\n', {}, True),
        ('broker.kind = "mine:Market"\n', {"TRADED_MODE": "live"}, True),
        # A broker of one's own inside the process; one outside is refused in that mode.
        ('broker.kind = "mine:Notebook"\n', {}, False),
    ],
)
def test_nothing_leaves_the_process_unasked(
    tmp_path: Path, text: str, environment: Mapping[str, str], *, is_dry: bool
) -> None:
    config = configured(tmp_path, text, **environment)
    assert config.is_dry_run is is_dry
    # The journal has what it came to, never a silence.
    assert to_event(config).config["dry_run"] is is_dry


@pytest.mark.parametrize("text", ["yes", "", "TRUE", "2", "off"])
def test_a_variable_that_says_neither_yes_nor_no_refuses_the_start(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        configured(tmp_path, OUTSIDE, TRADED_DRY_RUN=text)
    (problem,) = refused.value.problems
    assert "dry_run: Expected `bool" in problem
    assert problem.endswith("(set by TRADED_DRY_RUN)")


def test_a_mistake_in_the_file_is_blamed_on_no_variable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        configured(tmp_path, "dry_run = 1\n")
    assert "set by" not in str(refused.value)


def test_a_backtest_that_says_nothing_of_it_is_the_one_that_says_no(tmp_path: Path) -> None:
    silent, said = configured(tmp_path), configured(tmp_path, "dry_run = false\n")
    dry = configured(tmp_path, "dry_run = true\n")
    assert backtest_id(silent) == backtest_id(said) != backtest_id(dry)


def test_to_turn_it_off_is_a_changed_configuration_that_waits_for_an_operator() -> None:
    before, after = (
        to_event(Config(mode=Mode.LIVE)),
        to_event(Config(mode=Mode.LIVE, dry_run=False)),
    )
    state = fold(State(), JournalOpened("j1", Mode.LIVE, "mine"), before)
    assert doubt_of_config(state, before) == ""
    assert doubt_of_config(state, after) == "the configuration changed: dry_run"


def test_the_journal_says_it_in_words() -> None:
    assert sentence(to_event(Config(dry_run=True))) == "configuration with 0 symbols, DRY RUN"
    assert sentence(to_event(Config())) == "configuration with 0 symbols"


# What a start says, and what it makes of an order that a dry run did not send.


def starts(*events: JournalEvent, dry: bool = True, outside: bool = True) -> Opening:
    """Return how a session opens on a journal of `events`."""
    state = fold(State(), JournalOpened("j1", Mode.BROKER_PAPER, "mine"), *events)
    config = Config(dry_run=dry, broker=BrokerConfig(kind="mine:Market"))
    broker = OutsideBroker(PLAIN) if outside else PaperBroker(PLAIN)
    recovered = Recovered(
        state, [], CoreSettings(), Head(), decisions=0, differences=[], events_folded=0
    )
    return opening(config, broker, Blocks(), [], recovered, [], NOON, (), lambda: "j1")


def under(*, dry: bool) -> ConfigLoaded:
    """Return a configuration of the journal's."""
    return ConfigLoaded({"dry_run": dry}, a_config("A").symbols)


def withheld(found: Opening) -> list[ClientOrderId]:
    events = [each for each in found.events if isinstance(each, OrderWithheld)]
    assert {each.reason for each in events} <= {"dry run"}
    return [each.client_order_id for each in events]


def test_a_start_says_that_nothing_is_sent() -> None:
    said = "DRY RUN: all is decided and recorded, nothing is sent (dry_run = false sends)"
    assert starts().notices == (said,)
    assert starts(outside=False).notices == (said,)
    assert not [each for each in starts(dry=False).notices if "DRY RUN" in each]


def test_orders_of_before_that_may_stand_at_the_broker_are_named_for_no_cancel_leaves() -> None:
    order = an_order("o1", "10")
    found = starts(under(dry=False), *order, OrderAcknowledged(ClientOrderId("o1")))
    assert found.notices[1:] == (
        "DRY RUN: no cancel leaves either, and these may stand at the broker: o1",
    )
    assert withheld(found) == []


def test_an_order_caught_by_a_kill_in_a_dry_run_has_certainly_not_left() -> None:
    found = starts(under(dry=True), *an_order("o1", "10"))
    assert withheld(found) == ["o1"]
    assert len(found.notices) == 1
    # It holds where the dry run is over, too.
    assert withheld(starts(under(dry=True), *an_order("o1", "10"), dry=False)) == ["o1"]


def test_an_order_that_was_being_sent_before_the_dry_run_may_have_left() -> None:
    order = an_order("o1", "10")
    found = starts(under(dry=False), *order, under(dry=True))
    assert withheld(found) == []
    assert "may stand at the broker: o1" in found.notices[1]
    assert withheld(starts(under(dry=False), *order)) == []


def test_the_reservation_is_released_exactly() -> None:
    state = fold(State(), a_config("A"), *an_order("o1", "10"))
    assert state.orders.open[ClientOrderId("o1")].reserved == 10
    assert any(isinstance(each, OrderSending) for each in an_order("o1", "10"))
    fold(state, OrderWithheld(ClientOrderId("o1"), "dry run"))
    order = state.orders.closed[ClientOrderId("o1")]
    assert (order.state, order.reserved, state.orders.open) == (OrderState.WITHHELD, 0, {})
