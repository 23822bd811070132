"""What a daemon on the simulated gateway finds in its environment."""

import tempfile
from collections.abc import Iterator

import pytest

from tests.gateway_desk import ACCOUNT


@pytest.fixture
def gateway_account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Name the account, and a short folder for the socket: its path has 107 bytes at most."""
    monkeypatch.setenv("IBKR_ACCOUNT", ACCOUNT)
    with tempfile.TemporaryDirectory(prefix="t-") as short:
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        yield
