"""The data mode of a session: bars, broker and account in one word, in old journals too."""

import pytest

from events import DataMode, JournalOpened, Mode, SessionStarted
from events.codec import decode
from projections import State
from projections.data_modes import data_mode
from tests.builders import fold


@pytest.mark.parametrize(
    ("mode", "live_feed", "outside", "expected"),
    [
        (Mode.BACKTEST, False, False, DataMode.BACKTEST),
        (Mode.PAPER, False, False, DataMode.REPLAY),
        (Mode.PAPER, True, False, DataMode.PAPER_LIVE),
        (Mode.BROKER_PAPER, True, True, DataMode.PAPER),
        (Mode.LIVE, True, True, DataMode.LIVE),
        # A dry run at a broker outside may be fed with recorded bars.
        (Mode.LIVE, False, True, DataMode.REPLAY),
    ],
)
def test_the_data_mode_follows_from_bars_broker_and_account(
    mode: Mode, *, live_feed: bool, outside: bool, expected: DataMode
) -> None:
    assert data_mode(mode, live_feed=live_feed, outside=outside) is expected


@pytest.mark.parametrize(
    ("mode", "live_feed", "expected"),
    [
        (Mode.BACKTEST, False, DataMode.BACKTEST),
        (Mode.PAPER, False, DataMode.REPLAY),
        (Mode.PAPER, True, DataMode.PAPER_LIVE),
        (Mode.BROKER_PAPER, True, DataMode.PAPER),
        (Mode.LIVE, True, DataMode.LIVE),
    ],
)
def test_a_journal_older_than_the_word_has_it_from_its_mode_and_feed(
    mode: Mode, *, live_feed: bool, expected: DataMode
) -> None:
    fed = "true" if live_feed else "false"
    body = '{"type":"session.started","code_version":"1","strategies":{},"libraries":{},'
    old = decode(body + f'"live_feed":{fed}}}')
    assert isinstance(old, SessionStarted)
    state = fold(State(), JournalOpened("j", mode, "main"), old)
    assert state.identity.data_mode is expected


def test_the_newest_session_says_which_mode_it_is() -> None:
    state = State()
    assert state.identity.data_mode is None
    fold(state, JournalOpened("j", Mode.PAPER, "main"))
    fold(state, SessionStarted("1", {}, {}, data_mode=DataMode.REPLAY))
    fold(state, SessionStarted("1", {}, {}, live_feed=True, data_mode=DataMode.PAPER_LIVE))
    assert state.identity.data_mode is DataMode.PAPER_LIVE
    # What it says counts, whatever an older one would be taken for.
    fold(state, SessionStarted("1", {}, {}, live_feed=True, data_mode=DataMode.PAPER))
    assert state.identity.data_mode is DataMode.PAPER
