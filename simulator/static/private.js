// Private chats between people's own accounts: what the page asks for, in the shape in which bots' chats come.

import { api, ask, make, nameOf } from "/static/api.js";

export const TELEGRAM = 777000;
const account = (person, path = "") => `/accounts/${person}${path}`;

/** The account's chats with people as entries of the list; `begun` is somebody who was chosen and not written to yet. */
export async function privateChats(person, begun) {
  const { chats } = await api("GET", account(person, "/chats"));
  const entries = chats.map((chat) => entryOf(chat.peer, message(chat.last_message, person, chat.peer), chat));
  if (begun && !entries.some((entry) => entry.chat.id === begun.id)) entries.push(entryOf(begun, null, { unread: 0, blocked: false }));
  return entries;
}

function entryOf(peer, last, { unread, blocked }) {
  return { chat: { ...peer, type: "private" }, bot_id: null, peer, last_message: last, unread, blocked, private: true };
}

/** A message of an account's box as the page shows messages. */
function message(saved, person, peer) {
  const from = saved.out ? { id: person } : peer;
  const shown = { message_id: saved.id, from, chat: { type: "private" }, date: saved.date, edit_date: saved.edit_date || undefined, text: saved.text };
  if (saved.call) shown.text = "☎ Missed call";
  return { ...shown, private: true, document: saved.document, photo: saved.photo, reactions: Object.values(saved.reactions), is_read: saved.read_at > 0, is_away: saved.offline, reply_to: saved.reply_to };
}

/** What stands in a chat; looking at it reads it, as on a phone. */
export async function privateMessages(person, entry) {
  const chat = await api("GET", account(person, `/chats/${entry.chat.id}`));
  if (entry.unread && document.visibilityState === "visible") await api("POST", account(person, "/read"), { chat: entry.chat.id });
  const messages = chat.messages.map((saved) => message(saved, person, entry.peer));
  const known = new Map(messages.map((each) => [each.message_id, each]));
  for (const each of messages) each.reply_to_message = known.get(each.reply_to);
  return messages;
}

/** What the page's buttons do in a private chat. */
export function privateActions(person, entry) {
  const act = (action, body) => api("POST", account(person, `/${action}`), { chat: entry.chat.id, ...body });
  return {
    file(form) {
      form.set("chat", String(entry.chat.id));
      return api("POST", account(person, "/file"), form);
    },
    say: (text, reply) => act("say", { text, reply_to: reply?.message_id }),
    edit: (changed, text) => act("edit", { message_id: changed.message_id, text }),
    async react(changed, emoji) { await act("react", { message_id: changed.message_id, emoji }); },
    async remove(deleted) {
      const everywhere = await forBoth("Delete this message?", entry);
      if (everywhere !== null) await act("delete", { message_ids: [deleted.message_id], everywhere });
    },
    menu() {
      if (entry.chat.id === TELEGRAM) return devices(person);
      const block = entry.blocked ? ["Unblock", () => act("unblock")] : ["Block", () => act("block"), "danger"];
      const remove = async () => {
        const everywhere = await forBoth("Delete the whole chat?", entry);
        if (everywhere !== null) await act("delete-chat", { everywhere });
      };
      return [["Call", () => act("call")], block, ["Delete chat", remove, "danger"]];
    },
  };
}

async function forBoth(title, entry) {
  const box = make("input", { type: "checkbox", name: "everywhere", checked: true });
  const answer = await ask(title, [make("label", { class: "check" }, box, `Also delete for ${nameOf(entry.peer)}`)], "Delete");
  return answer && "everywhere" in answer;
}

/** Where the account is logged in: to be confirmed or ended from here. */
async function devices(person) {
  const { logins } = await api("GET", account(person, "/logins"));
  return logins.flatMap(({ hash, device, unconfirmed }) => {
    const end = [`End ${device || "login"}`, () => api("POST", account(person, "/revoke"), { hash }), "danger"];
    return unconfirmed ? [[`Yes, ${device || "this"} is me`, () => api("POST", account(person, "/confirm"), { hash })], end] : [end];
  });
}

export const isLogin = (address) => /^tg:\/\/login\?token=/i.test(address.trim());

/** Scan the picture of a login that is shown elsewhere. */
export const scan = (person, link) => api("POST", account(person, "/scan"), { link });

/** The newest code that came otherwise than inside the app, as a sentence; null where there is none. */
export async function outsideCode(person) {
  const { codes } = await api("GET", account(person, "/codes"));
  const last = codes.at(-1);
  return last && ["sms", "email"].includes(last.via) ? `${last.via === "sms" ? "SMS" : "E-mail"}: your login code is ${last.code}` : null;
}
