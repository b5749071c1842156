"""The Bot API's sizes and rates (version 10.3; core.telegram.org/bots/api and /bots/faq), as plain
numbers."""

from __future__ import annotations

from backend.channels.base import Limits, Rate

TEXT_UNITS = 4096
"""UTF-16 units after entity parsing; so is the next one."""
CAPTION_UNITS = 1024
TEXT_BYTES = 32_768
"""Of a raw text with its markup, in UTF-8."""
ENTITIES = 100
ENTITY_BYTES = 9_000
"""Of a text's entities as Telegram packs them, links with their addresses; it refuses at about 9,500."""
KEYBOARD_BYTES = 9_500
"""Of an inline keyboard's JSON; Telegram refuses over 10,000."""
BUTTONS = 100
CALLBACK_DATA_BYTES = 64
CALLBACK_ANSWER_UNITS = 200
ALBUM = 10
UPLOAD_BYTES = 50 * 1024 * 1024
PHOTO_BYTES = 10 * 1024 * 1024
DOWNLOAD_BYTES = 20 * 1024 * 1024

LIMITS = Limits(
    per_sender=(Rate(30, 1.0),),
    per_chat=(Rate(1, 1.0),),
    per_group_chat=(Rate(1, 1.0), Rate(20, 60.0)),
)
