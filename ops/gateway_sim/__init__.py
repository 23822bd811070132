"""A simulated IB Gateway: the TWS wire protocol in front, an order engine and an account behind.

The wire (frames, requests, replies, sessions, server, faults) knows bytes and clients; the floor
(book, account, prices, contracts, store, schedule) knows orders and money. They speak in `terms`:
the wire calls the floor's methods, the floor answers with `reports`, each to a client.
"""
