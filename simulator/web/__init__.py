"""The simulator over HTTP: the Bot API, the control API, the phone page."""
