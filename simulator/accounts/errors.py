"""What an account's request is refused with."""

from __future__ import annotations


class Refusal(Exception):
    """A request that Telegram would refuse: its code and its message, such as 400 and `PEER_FLOOD`. `notice` is what
    Telegram tells the person beside it.
    """

    def __init__(self, code: int, message: str, notice: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.notice = notice
