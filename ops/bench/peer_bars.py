"""The bars all backtests share: one symbol, one a minute around the clock, the same every time.

Run by its path in the peers' environment, it writes them as CSV; the peers' scripts read them.
"""

import sys

import numpy as np
import pandas as pd

COLUMNS = ("open", "high", "low", "close", "volume")


def write(path: str, count: int) -> None:
    """Write `count` bars to `path`: `ts` is the start of a bar, prices are in whole cents."""
    chance = np.random.default_rng(42)
    close = np.round(100.0 * np.exp(np.cumsum(chance.normal(0, 0.0005, count))), 2)
    opened = np.concatenate(([100.0], close[:-1]))
    high = np.round(np.maximum(opened, close) + np.abs(chance.normal(0, 0.02, count)), 2)
    low = np.round(np.minimum(opened, close) - np.abs(chance.normal(0, 0.02, count)), 2)
    volume = chance.integers(1_000, 100_000, count)
    starts = pd.date_range("2020-01-01", periods=count, freq="min")
    frame = pd.DataFrame(
        dict(zip(COLUMNS, (opened, high, low, close, volume), strict=True)), index=starts
    )
    frame.to_csv(path, index_label="ts", date_format="%Y-%m-%dT%H:%M:%SZ", float_format="%.2f")


def read(path: str) -> pd.DataFrame:
    """Return the bars at `path`, by the UTC time they start."""
    return pd.read_csv(path, index_col="ts", parse_dates=["ts"]).astype(float)


if __name__ == "__main__":
    write(sys.argv[1], int(sys.argv[2]))
    print('{"written": 1}')
