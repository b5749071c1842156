"""RQ entry points: bodies of three lines that call one service. Lanes have a module each, with `drain`;
`bots` is for whoever enqueues or schedules messages."""
