"""Builds what talks to the gateway: one session, and over it the broker, the feed, or both."""

from collections.abc import Mapping

import msgspec

from daemon.brokers.gateway.broker import IbkrBroker
from daemon.brokers.gateway.contracts import Contracts
from daemon.brokers.gateway.session import GatewaySession
from daemon.brokers.gateway.settings import find_settings
from daemon.brokers.gateway.symbol_watch import SymbolWatch
from daemon.brokers.gateway.windows import Windows
from daemon.clock import Clock
from daemon.config.file import ConfigError
from daemon.config.options import Config
from daemon.feeds.history_bars import BAR_SIZES
from daemon.feeds.ibkr import IbkrFeed
from events import Mode

DEFAULT_BAR_S = 60


class GatewayParts(msgspec.Struct):
    """`broker` and `feed` are None where the configuration has other ones."""

    session: GatewaySession
    contracts: Contracts
    broker: IbkrBroker | None
    feed: IbkrFeed | None
    notices: tuple[str, ...]


def build_gateway(config: Config, environment: Mapping[str, str], clock: Clock) -> GatewayParts:
    """Return the parts, nothing of them connected yet.

    Raises:
        ConfigError: what is configured cannot be.
    """
    found = find_settings(config, environment)
    sends = config.broker.kind == "ibkr"
    table = config.gateway
    windows = Windows(table.restart, table.restart_zone)
    session = GatewaySession(found.settings, clock, windows, sends=sends)
    contracts = Contracts(session, config.symbols)
    broker = IbkrBroker(session, contracts, table.login_zone) if sends else None
    feed = _feed(config, session, contracts) if config.feed.kind == "ibkr" else None
    watch = SymbolWatch(session, contracts, config.symbols) if table.watch_halts else None
    session.listeners = [each for each in (contracts, broker, feed, watch) if each is not None]
    return GatewayParts(session, contracts, broker, feed, found.notices)


def _feed(config: Config, session: GatewaySession, contracts: Contracts) -> IbkrFeed:
    bar_seconds = config.feed.bar_seconds or DEFAULT_BAR_S
    if bar_seconds not in BAR_SIZES:
        sizes = ", ".join(str(size) for size in BAR_SIZES)
        raise ConfigError([f"feed.bar_seconds: {bar_seconds} is none of {sizes}"])
    return IbkrFeed(
        session,
        contracts,
        tuple(config.symbols),
        bar_seconds=bar_seconds,
        warm_up_bars=config.gateway.warm_up_bars,
        regular_hours=not config.sessions.allow_extended_hours,
        takes_delayed=config.mode is not Mode.LIVE,
        late_after_s=config.gateway.late_after_s,
    )
