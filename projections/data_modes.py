"""What decisions rest on and where their orders go, in one word, at every moment of a journal."""

from events import DataMode, JournalOpened, Mode, SessionStarted

_INSIDE = frozenset({Mode.BACKTEST, Mode.PAPER})


def data_mode(mode: Mode, *, live_feed: bool, outside: bool) -> DataMode:
    """Return the word for a journal of `mode`, fed and answered like that.

    `outside` says that the broker is not inside the process.
    """
    if not live_feed:
        return DataMode.BACKTEST if mode is Mode.BACKTEST else DataMode.REPLAY
    if not outside:
        return DataMode.PAPER_LIVE
    return DataMode.LIVE if mode is Mode.LIVE else DataMode.PAPER


def data_mode_of(opened: JournalOpened, started: SessionStarted) -> DataMode:
    """Return the word for a session; one that is older than the word has it from the mode."""
    if started.data_mode is not None:
        return started.data_mode
    outside = opened.mode not in _INSIDE
    return data_mode(opened.mode, live_feed=started.live_feed, outside=outside)
