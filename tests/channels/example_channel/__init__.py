"""An example of a channel: a provider whose bodies hold events of several accounts, signed over their raw bytes.

It is added by this folder and one line, `registry.add("tests.channels.example_channel")`, where a channel of the
product has a line in the list of the registry.
"""

from tests.channels.example_channel.spec import SPEC

__all__ = ["SPEC"]
