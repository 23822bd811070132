"""The yardstick not written here: IB's own Python client holds a conversation with the simulator.

It is fetched from the package index when the test runs, into pytest's cache, and never becomes part
of this repository: `ibapi-latest` is under IB's "TWS API Non-Commercial License", which allows its
use with one's own tools and not its redistribution. Where it cannot be fetched, the tests are
skipped and say so.
"""

import asyncio
import json
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ops.gateway_sim.opening import open_floor
from ops.gateway_sim.server import running_gateway
from tests.gateway_desk import ACCOUNT, TUESDAY

CLIENT = "ibapi-latest==10.51.1"
CONVERSATION = Path(__file__).with_name("official_conversation.py")
Told = dict[str, list[list[Any]]]


@pytest.fixture(scope="module")
def client_folder(pytestconfig: pytest.Config) -> Path:
    """Return where the official client is installed, fetching it the first time."""
    assert pytestconfig.cache is not None
    home = pytestconfig.cache.mkdir(CLIENT.replace("==", "-"))
    folder = home / "installed"
    if not folder.exists():
        fresh = home / "fetching"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target"]
        try:
            subprocess.run(
                [*command, str(fresh), CLIENT],
                check=True,
                capture_output=True,
                text=True,
                timeout=120,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"skipped: IB's official client {CLIENT} cannot be fetched here: {error}")
        fresh.rename(folder)
    return folder


def bars_file(folder: Path) -> Path:
    """Write thirty minutes of AAPL at 150."""
    opens = TUESDAY - timedelta(minutes=30)
    moments = (opens + timedelta(minutes=number) for number in range(30))
    rows = [f"{at:%Y-%m-%dT%H:%M:%SZ},150,151,149,150,100000" for at in moments]
    path = folder / "AAPL.csv"
    path.write_text("\n".join(["ts,open,high,low,close,volume", *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def told(client_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Return what the official client was told, by callback; one conversation serves all tests."""
    bars = bars_file(tmp_path_factory.mktemp("bars"))

    async def conversation() -> bytes:
        floor = open_floor([bars], ACCOUNT, Decimal(100_000), None, None)
        async with running_gateway(floor) as running:
            running.gateway.clock.go_to(TUESDAY)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, CONVERSATION, client_folder, str(running.port)),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await asyncio.wait_for(process.communicate(), 60)
            assert process.returncode == 0, err.decode() + out.decode()
            return out

    found: Told = {}
    for line in asyncio.run(conversation()).splitlines():
        name, values = json.loads(line)
        found.setdefault(name, []).append(values)
    return found


def errors(told: Told) -> list[int]:
    return [code for _, _, code, *_ in told["error"] if code < 2100]


def test_it_connects_and_is_told_its_account_and_its_next_id(told: Told) -> None:
    assert (told["managedAccounts"], told["nextValidId"]) == ([[ACCOUNT]], [[1]])


def test_it_is_told_nothing_it_did_not_expect(told: Told) -> None:
    # 202: its own cancel.
    assert errors(told) == [202]


def test_its_market_order_fills_and_is_charged(told: Told) -> None:
    live = [done for request, _, done in told["execDetails"] if request == -1]
    assert [(done["side"], done["shares"], done["orderRef"]) for done in live] == [
        ("BOT", "10", "ref-1")
    ]
    paid = told["commissionAndFeesReport"][0][0]
    assert (paid["execId"], paid["commissionAndFees"]) == (live[0]["execId"], 1.0)


def test_its_resting_order_is_modified_and_cancelled(told: Told) -> None:
    prices = [order["lmtPrice"] for order_id, _, order, _ in told["openOrder"] if order_id == 2]
    assert prices[0] == 140
    assert prices[-1] == 141
    assert [status[1] for status in told["orderStatus"] if status[0] == 2][-1] == "Cancelled"


def test_its_weighed_order_comes_back_with_margins(told: Told) -> None:
    (state,) = [state for order_id, _, _, state in told["openOrder"] if order_id == 3]
    # Half of 10 * 150.
    assert float(state["initMarginChange"]) == 750


def test_its_lists_are_whole(told: Told) -> None:
    assert [order["orderRef"] for _, order, _ in told["completedOrder"]] == ["ref-1", "ref-2"]
    asked = [done["orderRef"] for request, _, done in told["execDetails"] if request == 900]
    assert asked == ["ref-1"]
    assert [(account, held) for account, _, held, _ in told["position"]] == [(ACCOUNT, "10")]
    net = [value for tag, value, *_ in told["updateAccountValue"] if tag == "NetLiquidation"]
    assert len(net) == 1
    assert {tag for _, _, tag, *_ in told["accountSummary"]} == {"NetLiquidation", "BuyingPower"}


def test_its_data_are_those_of_the_file(told: Told) -> None:
    (details,) = told["contractDetails"]
    assert details[1]["contract"]["conId"] == 265598
    bars = [bar for _, bar in told["historicalData"]]
    assert [(bar["open"], bar["volume"]) for bar in bars] == [(150, "100000")] * 30
    opened = int((TUESDAY - timedelta(minutes=30)).timestamp())
    assert (bars[0]["date"], told["headTimestamp"]) == (str(opened), [[907, str(opened)]])
    assert {kind for _, kind, *_ in told["tickPrice"]} >= {1, 2, 4}
    assert told["currentTime"] == [[int(TUESDAY.timestamp())]]
