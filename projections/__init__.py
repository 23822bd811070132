"""What it means: pure folds of the journal. No clock, no file, no socket: same records, same books.

A fold owns its book and changes it in place, one record at a time; the values inside (a `Position`,
an `Order`) are frozen and replaced. See ops/decisions/0003-folds-own-their-books.md.
"""

from projections.state import State

__all__ = ["State"]
