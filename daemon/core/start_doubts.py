"""What keeps a live start on HALT until an operator has looked: new, or not what it was before."""

from events import ConfigLoaded, JournalRestored, Mode, SessionStarted
from projections import State


def doubt_of_restore(restored: JournalRestored) -> str:
    """Say why nothing may leave behind a restore, in any mode: what came after it is not known."""
    lost = f", {restored.lost:,} events are lost" if restored.lost else ""
    return f"restored from {restored.backup}{lost}: compare orders and positions with the broker"


def doubt_of_session(state: State, started: SessionStarted) -> str:
    """Say why the session that starts must not trade by itself; nothing where it may."""
    identity = state.identity
    if identity.opened is None or identity.opened.mode is not Mode.LIVE:
        return ""
    before = identity.started
    if before is None:
        return "a new live journal"
    if before.code_version != started.code_version:
        return f"traded was {before.code_version} and is {started.code_version}"
    changed = sorted(
        name
        for name in {*before.strategies, *started.strategies}
        if before.strategies.get(name) != started.strategies.get(name)
    )
    return f"the code or parameters of {', '.join(changed)} changed" if changed else ""


def doubts_of_journal(state: State, started: SessionStarted) -> str:
    """Say what the start found doubtful, where orders leave the process; nothing elsewhere.

    Where the broker is inside, its book is a fold of the very journal: there is no other truth.
    """
    opened = state.identity.opened
    outside = opened is not None and opened.mode in {Mode.BROKER_PAPER, Mode.LIVE}
    return "; ".join(started.doubts) if outside else ""


def doubt_of_config(state: State, loaded: ConfigLoaded) -> str:
    """Say why this configuration must not trade by itself; nothing where it may.

    One that an operator has just told the daemon to take has been looked at.
    """
    identity = state.identity
    if identity.opened is None or identity.opened.mode is not Mode.LIVE or not identity.config:
        return ""
    if state.commands.reloading or loaded.config == identity.config:
        return ""
    keys = {*identity.config, *loaded.config}
    changed = sorted(key for key in keys if identity.config.get(key) != loaded.config.get(key))
    return f"the configuration changed: {', '.join(changed)}"
