"""Interactive Brokers' gateway, all but the wire: the wire is `daemon.brokers.ibkr` alone.

Read in this order: `settings` (where and who), `messages` (what is heard, as text), `codes` (what
an error code means), `connection` (may anything be sent), `windows` and `pacing` (when), `orders`
(whose order a message is about), `translate` (messages to events), `session` (connect, verify,
keep alive, try again), `look` (the broker's lists as one observation), `broker` (all of it behind
the broker protocol).
"""
