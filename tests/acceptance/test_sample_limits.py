"""The limits of the sample configuration let a newcomer's first trades pass, on real daily bars.

Each of the strategies that ship with traded, with 100,000 dollars, in the first months of 2015.
"""

import csv
import gzip
import json
import sqlite3
from pathlib import Path

import pytest

from tests.command_line import traded

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "daily"
SYMBOLS = ("AAPL", "BAC", "IBM", "QQQ", "SPY")
WEIGHTS = "{ AAPL = 0.2, BAC = 0.1, IBM = 0.2, QQQ = 0.2, SPY = 0.2 }"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"the shared bars are not here: {DATA} does not exist"
)


def cut_bars(folder: Path) -> None:
    """Put the first days of 2015 of each symbol into `folder`."""
    folder.mkdir()
    for symbol in SYMBOLS:
        with (
            gzip.open(DATA / f"{symbol}.csv.gz", "rt") as text,
            (folder / f"{symbol}.csv").open("w", encoding="utf-8") as cut,
        ):
            head, *rows = csv.reader(text)
            kept = [row for row in rows if "2015-01-01" <= row[0] <= "2015-02-20"]
            csv.writer(cut).writerows([head, *kept])


def first_orders(folder: Path, strategy: str) -> tuple[set[str], str]:
    """Return the symbols in which orders of `strategy` passed the gate, and what was refused."""
    cut_bars(folder / "bars")
    sample = traded("sample-config").stdout
    symbols = "".join(f"[symbols.{name}]\n" for name in SYMBOLS)
    (folder / "traded.toml").write_text(
        f"{symbols}[strategies.first]\n{strategy}\n[journal]\npath = 'j.db'\n"
        f"[feed]\npaths = ['bars']\n{sample[sample.index('[limits.account]') :]}"
    )
    (folder / "traded.toml").chmod(0o600)
    done = traded("run", "--config", "traded.toml", cwd=folder)
    assert done.returncode == 0, done.stderr
    connection = sqlite3.connect(f"file:{folder / 'j.db'}?mode=ro", uri=True)
    query = "SELECT body FROM event WHERE type = ? ORDER BY seq"
    intents = [json.loads(body) for (body,) in connection.execute(query, ("order.intended",))]
    sent = {
        json.loads(body)["client_order_id"]
        for (body,) in connection.execute(query, ("order.sending",))
    }
    refused = " ".join(body for (body,) in connection.execute(query, ("intent.refused",)))
    connection.close()
    return {each["symbol"] for each in intents if each["client_order_id"] in sent}, refused


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("buy_and_hold:BuyAndHold", "{ notional_usd = 10000 }"),
        ("moving_average:MovingAverage", "{ fast = 2, slow = 5, shares = 10 }"),
        ("target_weights:TargetWeights", f"{{ weights = {WEIGHTS} }}"),
    ],
)
def test_the_first_trades_of_a_strategy_that_ships_pass(
    tmp_path: Path, name: str, params: str
) -> None:
    # Target weights trade at the first open of a month that has prices: that of February.
    strategy = f'class = "daemon.strategies.{name}"\nparams = {params}'
    sent, refused = first_orders(tmp_path, strategy)
    assert sent == set(SYMBOLS)
    assert refused == ""
