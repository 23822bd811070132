"""What a contract of the broker's is called here."""

import pytest

from daemon.brokers.gateway.translate import symbol_of
from events import Symbol

KNOWN = {265598: Symbol("AAPL"), 1: Symbol("BRK.B")}


@pytest.mark.parametrize(
    ("contract_id", "symbol", "security_type", "local", "name"),
    [
        (265598, "AAPL", "STK", "AAPL", "AAPL"),
        (1, "BRK B", "STK", "BRK B", "BRK.B"),
        (8, "IBM", "STK", "IBM", "IBM"),
        # Listed in Toronto, too: an order for AAPL would not be for it.
        (532640894, "AAPL", "STK", "AAPL", "AAPL 532640894"),
        (9, "AAPL", "OPT", "AAPL  240119C00150000", "AAPL  240119C00150000 OPT"),
    ],
)
def test_only_the_contract_that_is_traded_has_its_symbol(
    contract_id: int, symbol: str, security_type: str, local: str, name: str
) -> None:
    assert symbol_of(contract_id, symbol, security_type, local, KNOWN) == name
