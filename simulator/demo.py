"""The made-up people and groups that a newcomer finds."""

from __future__ import annotations

from simulator.membership import create_chat
from simulator.world import World

TOKEN = "7000000001:DEMO-simulated-bot-token-not-real"  # noqa: S105 - a visibly fake one
USERNAME = "switchboard_demo_bot"
NAME = "Switchboard Demo"
PHONES = ("+12025550141", "+12025550142", "+12025550143")
"""Of numbers that are kept free for made-up people."""


def populate(world: World) -> None:
    """Three people with phone numbers, a group and a forum. Does nothing when there are people already."""
    if world.people:
        return
    mina = world.add_person("Mina", last_name="Park", username="mina_park", language_code="ko")
    jonas = world.add_person("Jonas", last_name="Weber", username="jonas_weber", language_code="en")
    aiko = world.add_person("Aiko", last_name="Mori", username="aiko_mori", language_code="en", is_premium=True)
    for person, phone in zip((mina, jonas, aiko), PHONES, strict=True):
        world.accounts.add(person, phone)
    create_chat(
        world,
        {"type": "group", "title": "Launch team", "creator": mina.id, "members": [jonas.id, aiko.id]},
    )
    create_chat(
        world,
        {
            "type": "supergroup",
            "title": "Operations",
            "is_forum": True,
            "creator": jonas.id,
            "members": [mina.id],
        },
    )
