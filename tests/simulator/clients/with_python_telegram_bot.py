"""python-telegram-bot: `read` puts the simulator's answers into its models, `bot URL TOKEN` runs a bot until /bye."""

from __future__ import annotations

import json
import sys
from typing import Any

import telegram
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.ext import Application, CallbackQueryHandler, CommandHandler, ContextTypes, MessageHandler, filters


def unknown_in(value: Any) -> set[str]:
    """Names of the fields that no class below this value knows."""
    if isinstance(value, (list, tuple)):
        return set().union(*map(unknown_in, value))
    if not isinstance(value, telegram.TelegramObject):
        return set()
    names = {
        name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()) if not name.startswith("_")
    }
    inner = [getattr(value, name, None) for name in names - {"api_kwargs"}]
    return set(value.api_kwargs).union(*map(unknown_in, inner))


def lost(before: Any, after: Any, path: str = "") -> list[str]:
    """Places at which what was read says something else than what was sent."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [place for name in before for place in lost(before[name], after.get(name), f"{path}.{name}")]
    if isinstance(before, list) and isinstance(after, (list, tuple)) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [place for number, pair in pairs for place in lost(*pair, f"{path}[{number}]")]
    # It leaves out empty lists and objects, and what is said by their absence.
    return [] if before == after or (after is None and not before) else [f"{path}: {before!r} {after!r}"]


def read(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """What the classes refuse or understand otherwise, and the fields they do not know."""
    problems, unknown = [], set()
    for sample in samples:
        try:
            found = getattr(telegram, sample["kind"]).de_json(sample["value"], None)
            problems += [f"{sample}: {place}" for place in lost(sample["value"], found.to_dict())]
            unknown |= unknown_in(found)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            problems.append(f"{sample}: {error!r}")
    return {"problems": problems, "unknown": sorted(unknown)}


async def start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """Greet, with a button."""
    assert update.message is not None
    assert update.effective_user is not None
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Go", callback_data="go")]])
    text = f"Hello {update.effective_user.mention_html()} {' '.join(context.args or [])}"
    await update.message.reply_html(text, reply_markup=keyboard)


async def pressed(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """Answer the press."""
    assert update.callback_query is not None
    await update.callback_query.answer("Done")
    await update.callback_query.edit_message_text("Pressed")


async def where(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """Say what the bot is in this chat."""
    assert update.message is not None
    chat = await context.bot.get_chat(update.message.chat_id)
    member = await chat.get_member(context.bot.id)
    admins = await chat.get_administrators()
    await update.message.reply_text(f"{chat.type} {member.status} {len(admins)}", do_quote=True)


async def bye(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """End."""
    assert update.message is not None
    await update.message.reply_text("Bye")
    context.application.stop_running()


async def photo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """Send a picture back by its id."""
    assert update.message is not None
    await update.message.reply_photo(update.message.photo[-1], caption=update.message.caption)


async def document(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """Send a document back backwards."""
    assert update.message is not None
    assert update.message.document is not None
    content = await (await update.message.document.get_file()).download_as_bytearray()
    await update.message.reply_document(bytes(content[::-1]), filename="back.txt", do_quote=True)


async def echo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """Say the same."""
    assert update.message is not None
    await update.message.reply_text(update.message.text or "", entities=update.message.entities)


def run_bot(url: str, token: str) -> None:
    """Poll and answer."""
    application = Application.builder().token(token).base_url(f"{url}/bot").base_file_url(f"{url}/file/bot").build()
    application.add_handler(CommandHandler("start", start))
    application.add_handler(CommandHandler("where", where))
    application.add_handler(CommandHandler("bye", bye))
    application.add_handler(CallbackQueryHandler(pressed))
    application.add_handler(MessageHandler(filters.PHOTO, photo))
    application.add_handler(MessageHandler(filters.Document.ALL, document))
    application.add_handler(MessageHandler(filters.TEXT, echo))
    application.run_polling(stop_signals=None, timeout=5)


if __name__ == "__main__":
    if sys.argv[1] == "read":
        print(json.dumps(read(json.load(sys.stdin))))
    else:
        run_bot(*sys.argv[2:])
