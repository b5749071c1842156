"""pyTelegramBotAPI: `read` puts the simulator's answers into its types, `bot URL TOKEN` runs a bot until /bye."""

from __future__ import annotations

import json
import sys
from typing import Any

import telebot
from telebot import types, util


def read(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """What the types refuse; they pass over fields that they do not know."""
    problems = []
    for sample in samples:
        try:
            getattr(types, sample["kind"]).de_json(sample["value"])
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            problems.append(f"{sample}: {error!r}")
    return {"problems": problems, "unknown": []}


def run_bot(url: str, token: str) -> None:
    """Poll and answer."""
    telebot.apihelper.API_URL = url + "/bot{0}/{1}"
    telebot.apihelper.FILE_URL = url + "/file/bot{0}/{1}"
    bot = telebot.TeleBot(token, threaded=False)

    @bot.message_handler(commands=["start"])
    def start(message: types.Message) -> None:
        keyboard = types.InlineKeyboardMarkup([[types.InlineKeyboardButton("Go", callback_data="go")]])
        text = f"Hello {util.user_link(message.from_user)} {util.extract_arguments(message.text)}"
        bot.send_message(message.chat.id, text, parse_mode="HTML", reply_markup=keyboard)

    @bot.callback_query_handler(func=lambda query: query.data == "go")
    def pressed(query: types.CallbackQuery) -> None:
        bot.answer_callback_query(query.id, "Done")
        bot.edit_message_text("Pressed", query.message.chat.id, query.message.message_id)

    @bot.message_handler(commands=["where"])
    def where(message: types.Message) -> None:
        chat = bot.get_chat(message.chat.id)
        member = bot.get_chat_member(chat.id, bot.get_me().id)
        admins = bot.get_chat_administrators(chat.id)
        bot.reply_to(message, f"{chat.type} {member.status} {len(admins)}")

    @bot.message_handler(commands=["bye"])
    def bye(message: types.Message) -> None:
        bot.send_message(message.chat.id, "Bye")
        bot.stop_polling()

    @bot.message_handler(content_types=["photo"])
    def photo(message: types.Message) -> None:
        bot.send_photo(message.chat.id, message.photo[-1].file_id, caption=message.caption)

    @bot.message_handler(content_types=["document"])
    def document(message: types.Message) -> None:
        content = bot.download_file(bot.get_file(message.document.file_id).file_path)
        reply = types.ReplyParameters(message.message_id)
        bot.send_document(message.chat.id, content[::-1], reply_parameters=reply, visible_file_name="back.txt")

    @bot.message_handler(content_types=["text"])
    def echo(message: types.Message) -> None:
        bot.send_message(message.chat.id, message.text, entities=message.entities)

    bot.polling(timeout=5, long_polling_timeout=5)


if __name__ == "__main__":
    if sys.argv[1] == "read":
        print(json.dumps(read(json.load(sys.stdin))))
    else:
        run_bot(*sys.argv[2:])
