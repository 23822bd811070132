"""Orders as the journal has them, open or long over: each folded from its own events alone."""

from collections.abc import Iterator
from typing import cast

import msgspec

from events import BrokerHeard, ClientOrderId, MarginRequested, OrderIntended, Record
