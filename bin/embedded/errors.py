"""What the launchers raise."""


class ServerError(Exception):
    """An embedded server cannot be started; the message tells a person what to do."""
