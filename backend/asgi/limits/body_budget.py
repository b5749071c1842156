"""How much of request bodies under way a process holds, in memory and on disk, and how much of it for one sender."""

from __future__ import annotations

from typing import Final

MIB: Final = 1024 * 1024


class Budget:
    """Bytes that may be held at a time: `most` altogether, `most_of_one` for one sender."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self.most = most
        self.most_of_one = most_of_one
        self.used = 0
        self._by_sender: dict[object, int] = {}

    def take(self, sender: object, size: int) -> bool:
        """Takes so many bytes for a sender, if they are left."""
        mine = self._by_sender.get(sender, 0) + size
        if self.used + size > self.most or mine > self.most_of_one:
            return False
        self._by_sender[sender] = mine
        self.used += size
        return True

    def give_back(self, sender: object, size: int) -> None:
        """Gives back what was taken."""
        if size == 0:
            return
        self.used -= size
        remaining = self._by_sender[sender] - size
        if remaining:
            self._by_sender[sender] = remaining
        else:
            del self._by_sender[sender]


def in_memory() -> Budget:
    """The budget of a process for bodies that are small enough to be held in memory."""
    return Budget(64 * MIB, 16 * MIB)


def on_disk() -> Budget:
    """The budget of a process for larger bodies, which are files."""
    return Budget(512 * MIB, 256 * MIB)
