// How a message looks: entities, pictures, documents, buttons, service messages.

import { clock, hue, make, nameOf, showPicture } from "/static/api.js";

const WRAP = { bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code", pre: "pre", blockquote: "blockquote", expandable_blockquote: "blockquote" };

/** Offsets of entities are UTF-16 units, which is how strings are indexed here. */
export function formatted(text, entities, actions) {
  const inside = (from, to, list) => {
    const pieces = [];
    let position = from;
    while (list.length) {
      const [entity, ...rest] = list;
      const start = Math.max(entity.offset, position);
      const stop = Math.min(entity.offset + entity.length, to);
      const nested = rest.filter((other) => other.offset < stop);
      list = rest.filter((other) => other.offset >= stop);
      if (stop <= start) continue;
      if (start > position) pieces.push(text.slice(position, start));
      pieces.push(wrapped(entity, text.slice(start, stop), inside(start, stop, nested), actions));
      position = stop;
    }
    if (position < to) pieces.push(text.slice(position, to));
    return pieces;
  };
  return inside(0, text.length, [...(entities ?? [])]);
}

function wrapped(entity, text, children, actions) {
  const { type } = entity;
  if (WRAP[type]) return make(WRAP[type], {}, ...children);
  if (type === "bot_command") return make("button", { type: "button", class: "command", onclick: () => actions.command(text) }, ...children);
  if (type === "spoiler") {
    const reveal = (event) => event.currentTarget.classList.add("seen");
    return make("button", { type: "button", class: "spoiler", "aria-label": "Spoiler: show", onclick: reveal }, ...children);
  }
  const address = { text_link: entity.url, url: /^\w+:/.test(text) ? text : `https://${text}`, email: `mailto:${text}` }[type];
  if (address) return link(address, children, actions);
  if (type === "mention" || type === "hashtag") return make("a", {}, ...children);
  return make("span", {}, ...children);
}

function link(address, children, actions, properties = {}) {
  if (!/^(https?|mailto|tg):/i.test(address)) return make("span", {}, ...children);
  const opened = (event) => { if (actions.open(address)) event.preventDefault(); };
  return make("a", { href: address, target: "_blank", rel: "noopener noreferrer", onclick: opened, ...properties }, ...children);
}

const fileAddress = (id) => `/control/files/${encodeURIComponent(id)}`;

function size(bytes) {
  return bytes < 1000 ? `${bytes} B` : bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function attachment(message) {
  if (message.photo) {
    const picture = message.photo.at(-1);
    const description = message.caption ?? "Picture";
    const ratio = `aspect-ratio:${picture.width}/${picture.height}`;
    const image = make("img", { src: fileAddress(picture.file_id), alt: description, loading: "lazy", style: ratio });
    return make("button", { type: "button", class: "photo", "aria-label": `Show the picture: ${description}`, onclick: () => showPicture(fileAddress(picture.file_id), description) }, image);
  }
  if (message.document) {
    const icon = make("i", { "aria-hidden": "true" });
    icon.innerHTML = '<svg viewBox="0 0 24 24"><path d="M12 4v11m0 0l-4.500-4.500M12 15l4.500-4.500M5 19.500h14"/></svg>';
    const { file_name: name, file_id: id, file_size: bytes } = message.document;
    return make("a", { class: "document", href: fileAddress(id), download: name }, icon, make("span", {}, make("b", { text: name }), make("small", { text: size(bytes) })));
  }
  return null;
}

/** What a message answers: one of this chat, or one of another. In a topic, its first message does not count. */
function answered(message) {
  const replied = message.reply_to_message ?? message.external_reply;
  return replied?.forum_topic_created ? null : replied;
}

function quote(message) {
  const replied = answered(message);
  const { origin: from } = replied;
  const sender = replied.from ?? from?.sender_user;
  const author = sender ? nameOf(sender) : (replied.sender_chat ?? from?.chat ?? from?.sender_chat)?.title ?? "";
  const said = message.quote?.text ?? replied.text ?? replied.caption ?? (replied.photo ? "Picture" : replied.document?.file_name ?? "Message");
  return make("span", { class: "quote" }, make("b", { text: author }), make("span", { text: said }));
}

function origin(forward) {
  const who = forward.sender_user ? nameOf(forward.sender_user) : (forward.chat ?? forward.sender_chat)?.title ?? "";
  return make("span", { class: "forwarded", text: `Forwarded from ${who}` });
}

function inlineKeyboard(message, actions) {
  const rows = message.reply_markup?.inline_keyboard;
  if (!rows) return null;
  const button = (item) => {
    if (item.url) return link(item.url, [item.text], actions);
    if (item.callback_data === undefined) return make("button", { type: "button", disabled: true, title: "The simulator does not act on this kind of button", text: item.text });
    return make("button", { type: "button", text: item.text, onclick: (event) => actions.press(message, item, event.currentTarget) });
  };
  return make("div", { class: "inline", role: "group", "aria-label": "Buttons" }, ...rows.map((row) => make("div", {}, ...row.map(button))));
}

const SERVICE = {
  new_chat_members: (value) => `${value.map(nameOf).join(", ")} joined the group`,
  left_chat_member: (value) => `${nameOf(value)} left the group`,
  group_chat_created: (_, message) => `${nameOf(message.from)} created the group`,
  migrate_to_chat_id: () => "The group was upgraded to a supergroup",
  migrate_from_chat_id: () => "The group was upgraded to a supergroup",
  forum_topic_created: (value) => `Topic “${value.name}” was created`,
  forum_topic_edited: (value) => `The topic is now called “${value.name}”`,
  forum_topic_closed: () => "The topic was closed",
  forum_topic_reopened: () => "The topic was reopened",
};

export function serviceText(message) {
  const kind = Object.keys(SERVICE).find((name) => name in message);
  return kind ? SERVICE[kind](message[kind], message) : null;
}

export function preview(message) {
  if (!message) return "";
  return serviceText(message) ?? message.text ?? message.caption ?? (message.photo ? "Picture" : message.document?.file_name ?? "");
}

/** One message as an item of the list. `mine` is the person whose phone it is. */
export function messageElement(message, mine, actions) {
  const service = serviceText(message);
  if (service !== null) return make("li", { class: "service", text: service });
  const anonymous = Boolean(message.sender_chat);
  const own = message.from?.id === mine && !anonymous;
  const group = message.chat.type !== "private";
  const author = anonymous ? message.sender_chat.title : nameOf(message.from);
  const text = message.text ?? message.caption ?? "";
  const body = formatted(text, message.entities ?? message.caption_entities, actions);
  const tools = make("span", { class: "tools" },
    make("button", { type: "button", text: "Reply", onclick: () => actions.reply(message) }),
    message.private ? make("button", { type: "button", text: "👍", "aria-label": "React with 👍", onclick: () => actions.react(message, message.reactions.includes("👍") ? "" : "👍") })
      : make("button", { type: "button", text: "Forward", onclick: () => actions.forward(message) }),
    own ? make("button", { type: "button", text: "Edit", onclick: () => actions.edit(message) }) : null,
    own || !group ? make("button", { type: "button", text: "Delete", onclick: () => actions.remove(message) }) : null);
  const meta = make("span", { class: "meta", text: (message.is_away ? "away " : "") + (message.edit_date ? "edited " : "") + clock(message.date) + (own && message.private ? (message.is_read ? " ✓✓" : " ✓") : "") });
  const bubble = make("div", { class: "bubble" },
    group && !own ? make("span", { class: "author", style: `--hue:${hue(message.from?.id ?? 1)}`, text: author }) : make("span", { class: "hidden", text: own ? "You: " : `${author}: ` }),
    message.forward_origin ? origin(message.forward_origin) : null,
    answered(message) ? quote(message) : null,
    attachment(message), ...body, meta,
    message.reactions?.length ? make("span", { class: "reactions", text: message.reactions.join(" ") }) : null, tools);
  const keyboard = inlineKeyboard(message, actions);
  const kind = ["message", own ? "own" : "", keyboard ? "with-keyboard" : ""].filter(Boolean).join(" ");
  return make("li", { class: kind }, bubble, keyboard);
}
