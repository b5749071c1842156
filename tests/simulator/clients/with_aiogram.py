"""aiogram: `read` puts the simulator's answers into its models, `bot URL TOKEN` runs a bot until /bye, `webhook URL
TOKEN` one that is told by webhook and answers in the webhook's answer, which aiogram writes as multipart.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from aiogram import Bot, Dispatcher, F, types
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.filters import Command, CommandObject, CommandStart
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError

KINDS: dict[str, Any] = {
    name: getattr(types, name)
    for name in ("User", "ChatFullInfo", "Message", "Update", "WebhookInfo", "BotCommand", "File")
}
KINDS["ChatMember"] = types.ResultChatMemberUnion


def unknown_in(value: Any) -> set[str]:
    """Names of the fields that no model below this value knows."""
    if isinstance(value, list):
        return set().union(*map(unknown_in, value))
    if not isinstance(value, BaseModel):
        return set()
    inner = [getattr(value, name) for name in type(value).model_fields]
    return set(value.model_extra or {}).union(*map(unknown_in, inner))


def read(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """What the models refuse (a sentence per sample), and the fields they do not know."""
    problems, unknown = [], set()
    for sample in samples:
        try:
            found = TypeAdapter(KINDS[sample["kind"]]).validate_python(sample["value"])
        except ValidationError as error:
            problems.append(f"{sample}: {error}")
        else:
            unknown |= unknown_in(found)
    return {"problems": problems, "unknown": sorted(unknown)}


async def run_bot(url: str, token: str) -> None:
    """Poll and answer."""
    bot = Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(url)))
    dispatcher = Dispatcher()

    @dispatcher.message(CommandStart())
    async def start(message: types.Message, command: CommandObject) -> None:
        button = types.InlineKeyboardButton(text="Go", callback_data="go")
        keyboard = types.InlineKeyboardMarkup(inline_keyboard=[[button]])
        assert message.from_user is not None
        text = f"Hello {message.from_user.mention_html()} {command.args}"
        await message.answer(text, parse_mode="HTML", reply_markup=keyboard)

    @dispatcher.callback_query(F.data == "go")
    async def pressed(query: types.CallbackQuery) -> None:
        await query.answer("Done")
        assert isinstance(query.message, types.Message)
        await query.message.edit_text("Pressed")

    @dispatcher.message(Command("where"))
    async def where(message: types.Message) -> None:
        chat = await bot.get_chat(message.chat.id)
        member = await bot.get_chat_member(chat.id, bot.id)
        admins = await bot.get_chat_administrators(chat.id)
        await message.reply(f"{chat.type} {member.status} {len(admins)}")

    @dispatcher.message(Command("bye"))
    async def bye(message: types.Message) -> None:
        await message.answer("Bye")
        await dispatcher.stop_polling()

    @dispatcher.message(F.photo)
    async def photo(message: types.Message) -> None:
        assert message.photo is not None
        await message.answer_photo(message.photo[-1].file_id, caption=message.caption)

    @dispatcher.message(F.document)
    async def document(message: types.Message) -> None:
        assert message.document is not None
        content = await bot.download(message.document)
        assert content is not None
        await message.reply_document(types.BufferedInputFile(content.read()[::-1], "back.txt"))

    @dispatcher.message(F.text)
    async def echo(message: types.Message) -> None:
        await message.send_copy(message.chat.id)

    await bot.delete_webhook()
    await dispatcher.start_polling(bot, handle_signals=False, polling_timeout=5)
    await bot.session.close()


async def run_webhook(url: str, token: str) -> None:
    """Listen on a free port, set the webhook, and serve until killed."""
    bot = Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(url)))
    dispatcher = Dispatcher()

    @dispatcher.message(F.document)
    async def document(message: types.Message) -> Any:
        return message.reply_document(types.BufferedInputFile(b"cba", "back.txt"))

    @dispatcher.message(F.text)
    async def echo(message: types.Message) -> Any:
        return message.reply(f"<b>{message.text}</b>", parse_mode="HTML")

    application = web.Application()
    SimpleRequestHandler(dispatcher, bot, handle_in_background=False, secret_token="a-secret").register(
        application, path="/hook"
    )
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    await bot.set_webhook(f"http://127.0.0.1:{port}/hook", secret_token="a-secret")
    await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[1] == "read":
        print(json.dumps(read(json.load(sys.stdin))))
    else:
        asyncio.run({"bot": run_bot, "webhook": run_webhook}[sys.argv[1]](*sys.argv[2:]))
