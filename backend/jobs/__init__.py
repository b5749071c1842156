"""RQ entry points: bodies of three lines that call one service. One module a lane, each with `drain`."""
