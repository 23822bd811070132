"""`traded gateway-sim`: a simulated IB Gateway for any client of the TWS API."""

import asyncio
import logging
import shlex
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from daemon.simulated_time import write_time
from ops.gateway_sim.faults import Fault, plan_from_seed
from ops.gateway_sim.gateway import Settings
from ops.gateway_sim.schedule import Schedule
from ops.gateway_sim.server import LOCALHOST, RunningGateway, running_gateway
from ops.gateway_sim.virtual_clock import VirtualClock
from ops.options import json_option
from ops.render import moment, money, print_json_line, say

if TYPE_CHECKING:
    from ops.gateway_sim.floor import Floor

ACCOUNT = "DU1234567"
PORT = 4002
CASH_USD = 1_000_000.0

_PATH = click.Path(path_type=Path)


class _FaultFile(msgspec.Struct, forbid_unknown_fields=True):
    """What --faults names: `[[fault]]` tables."""

    fault: tuple[Fault, ...] = ()


@click.command()
@click.option(
    "--bars",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    help="Bar files, or folders of them, that make its prices; more than one may be given.",
)
@click.option("--port", default=PORT, show_default=True, help="0 takes a free one.")
@click.option("--host", default=LOCALHOST, show_default=True)
@click.option("--account", default=ACCOUNT, show_default=True, help="A paper account's begins DU.")
@click.option("--cash", type=float, default=CASH_USD, show_default=True, help="In USD.")
@click.option("--start", help="When its time begins, ISO 8601; else at the first bar's open.")
@click.option("--speed", type=click.FloatRange(min=0), default=1.0, show_default=True)
@click.option("--clock", type=_PATH, help="Write its time there, for `traded run --gateway-time`.")
@click.option("--state", type=_PATH, help="Keep the account there across restarts.")
@click.option("--schedule", is_flag=True, help="Restart nightly, want a login weekly, as IB does.")
@click.option("--read-only", is_flag=True, help="Refuse every order, with code 321.")
@click.option("--no-data", multiple=True, metavar="S", help="The account may see no data of it.")
@click.option("--twin", multiple=True, metavar="S", help="At AMEX another stock is called so.")
@click.option("--reject-fast", is_flag=True, help="Answer more than 50 requests/s with code 100.")
@click.option("--faults", type=_PATH, help="A TOML file of [[fault]] tables: kind, on, nth, ...")
@click.option("--fault-seed", type=int, help="Faults made from this number: the same every time.")
@json_option
def command(  # noqa: PLR0913, PLR0917 - one parameter an option
    bars: tuple[Path, ...],
    port: int,
    host: str,
    account: str,
    cash: float,
    start: str | None,
    speed: float,
    clock: Path | None,
    state: Path | None,
    schedule: bool,  # noqa: FBT001 - click's way
    read_only: bool,  # noqa: FBT001 - as above
    no_data: tuple[str, ...],
    twin: tuple[str, ...],
    reject_fast: bool,  # noqa: FBT001 - as above
    faults: Path | None,
    fault_seed: int | None,
    as_json: bool,  # noqa: FBT001 - as above
) -> None:
    """Run a simulated IB Gateway until Ctrl-C: no network but this port, no money.

    It speaks the TWS protocol (server version 178), so that ib_async, IB's own client and others
    connect to it unchanged. Prices come from bar files; orders, fills, margin and the account are
    worked out behind it. Its time runs from the first bar on, --speed times as fast as the wall's;
    --clock lets the daemon live in it, too.

    Example: traded gateway-sim --bars bars --port 4002 --speed 60 --clock gateway.time
    """
    # The exchange calendar behind it takes half a second to load.
    from ops.gateway_sim.contracts import american_twin  # noqa: PLC0415 - as below
    from ops.gateway_sim.market_data import DataRules  # noqa: PLC0415 - as below
    from ops.gateway_sim.opening import open_floor  # noqa: PLC0415 - see above
    from ops.gateway_sim.store import save  # noqa: PLC0415 - as above

    begins = _moment(start)
    if clock is not None and not speed:
        raise click.UsageError("--clock: at --speed 0 there is no time to share")
    if not bars and begins is None:
        raise click.UsageError("give --bars, or --start for a gateway without prices")
    plan = [*_faults_in(faults), *(plan_from_seed(fault_seed) if fault_seed is not None else ())]
    rules = DataRules(forbidden=frozenset(no_data))
    floor = open_floor(bars or None, account, Decimal(str(cash)), begins, state, data_rules=rules)
    for symbol in twin:
        floor.list_stock(american_twin(symbol))

    settings = Settings(read_only=read_only, reject_above_rate=reject_fast)
    _log_to(_json_line if as_json else _told)

    async def run() -> None:
        time = VirtualClock(floor.now, speed)
        async with running_gateway(
            floor,
            clock=time,
            settings=settings,
            faults=plan,
            schedule=Schedule() if schedule else None,
            port=port,
            host=host,
            save=None if state is None else partial(save, state),
        ) as running:
            if clock is not None:
                write_time(clock, time.now(), speed)
            _announce(running, floor, speed, plan, clock, as_json=as_json)
            await _stopped()

    asyncio.run(run())


def _moment(written: str | None) -> datetime | None:
    if written is None:
        return None
    try:
        found = datetime.fromisoformat(written)
    except ValueError as error:
        raise click.UsageError(f"--start {written}: {error}") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _faults_in(path: Path | None) -> tuple[Fault, ...]:
    if path is None:
        return ()
    try:
        return msgspec.toml.decode(path.read_bytes(), type=_FaultFile).fault
    except msgspec.MsgspecError as error:
        raise click.UsageError(f"--faults {path}: {error}") from error


def _announce(  # noqa: PLR0913 - all that is said of it
    running: RunningGateway,
    floor: "Floor",
    speed: float,
    plan: list[Fault],
    clock: Path | None,
    *,
    as_json: bool,
) -> None:
    if as_json:
        print_json_line(
            {
                "listening": True,
                "port": running.port,
                "account": floor.account,
                "now": floor.now,
                "speed": speed,
                "faults": plan,
            }
        )
        return
    net = next(each.value for each in floor.account_values() if each.tag == "NetLiquidation")
    say(
        f"Simulated IB Gateway, server version 178, on port {running.port}: no real money.",
        f"  account    {floor.account}, worth {money(Decimal(net))} USD",
        f"  time       {moment(floor.now)}, at {speed:g} times the wall's speed",
        *(f"  fault      {each.kind} at {each.on} {each.nth}" for each in plan),
        "  connect    any client of the TWS API, plain text, no TLS; Ctrl-C ends it",
        f"  traded     {_command_line(running, floor, clock)}",
    )


def _command_line(running: RunningGateway, floor: "Floor", clock: Path | None) -> str:
    """Return how the daemon is started on this gateway."""
    variables = f"IBKR_ACCOUNT={floor.account} IBKR_PORT={running.port}"
    time = "" if clock is None else f" --gateway-time {shlex.quote(str(clock))}"
    return f"{variables} traded run{time}"


async def _stopped() -> None:
    """Return when the person at the terminal, or the system, wants it to end."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.add_signal_handler(each, asked.set)
    await asked.wait()


class _Lines(logging.Handler):
    """Hands each log line on as text."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(record.getMessage())


def _log_to(tell: Callable[[str], None]) -> None:
    log = logging.getLogger("traded.gateway_sim")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.handlers = [_Lines(tell)]


def _told(line: str) -> None:
    say(line, err=True)


def _json_line(line: str) -> None:
    print_json_line({"log": line})
