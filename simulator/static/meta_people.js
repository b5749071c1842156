// What a person can do in each of the three applications, and how a message looks on their phone.

import { api, clock, make } from "/static/api.js";

const SEOUL = { latitude: 37.5665, longitude: 126.978 };
const bytes = async (file) => btoa(Array.from(new Uint8Array(await file.arrayBuffer()), (byte) => String.fromCharCode(byte)).join(""));

/** The actions of the person of a chat. */
export function people(chat) {
  return chat.node.kind === "number" ? onWhatsApp(chat) : onPage(chat);
}

async function uploaded(file) {
  return { content: await bytes(file), mime_type: file.type || "application/octet-stream", file_name: file.name };
}

function onPage({ node, contact, messages }) {
  const act = (action, body) => api("POST", `/graph/pages/${node.id}/${action}`, body);
  const from = contact.id;
  return {
    join: (name) => act("people", { name }),
    say: (text, reply) => act("say", { from, text, ...(reply ? { reply_to: reply.id } : {}) }),
    file: async (file) => act("say", { from, ...await uploaded(file) }),
    edit: (message, text) => act("edit", { message_id: message.id, text }),
    remove: (message) => act("delete", { message_id: message.id }),
    react: (message, emoji) => act("react", { message_id: message.id, emoji }),
    press: (button) => act("press", { from, title: button.title, payload: button.payload ?? button.title, quick: button.content_type === "text" }),
    read: () => act("read", { from }),
    menu(words) {
      const place = { attachments: [{ type: "location", payload: { coordinates: { lat: SEOUL.latitude, long: SEOUL.longitude } } }] };
      const post = { attachments: [{ type: node.kind === "page" ? "post" : "ig_post", payload: { url: "https://example.com/p/1", title: "A post about boots" } }] };
      const items = [
        ["Share a location", () => act("say", { from, message: place })],
        ["Pass a post on", () => act("say", { from, message: post })],
        ["Send something that cannot be shown", () => act("say", { from, message: { is_unsupported: true } })],
        contact.unreachable ? ["Unblock", () => act("people", { id: from, unreachable: "" })] : ["Block", () => act("people", { id: from, unreachable: "blocked" }), "danger"],
        ["Somebody answers in the page's own inbox", async () => { const text = await words("Answer from the inbox", "text"); if (text) await act("echo", { to: from, text }); }],
      ];
      const taken = node.hidden.control?.[from];
      items.push(taken ? ["The inbox hands back", () => act("control", { of: from, app_id: "", how: "pass" })] : ["The page's inbox takes over", () => act("control", { of: from })]);
      if (node.kind === "instagram" && messages?.length) items.push(["Reply to a story", () => act("say", { from, text: "Nice!", message: { reply_to: { story: { id: "1", url: "https://example.com/story.jpg" } } } })]);
      return items;
    },
  };
}

const MEDIA = (type) => ["image", "video", "audio"].find((kind) => type.startsWith(kind)) ?? "document";

function onWhatsApp({ node, contact, messages }) {
  const act = (action, body) => api("POST", `/graph/numbers/${node.id}/${action}`, body);
  const from = contact.number || contact.other_ids?.bsuid || contact.id;
  const send = (message, more = {}) => act("inbound", { from, message, ...more });
  return {
    join: (name) => act("people", { name, number: `8210${String(Date.now()).slice(-8)}` }),
    say: (text, reply) => send({ type: "text", text: { body: text }, ...(reply ? { context: { id: reply.id } } : {}) }),
    async file(file) {
      const kind = MEDIA(file.type);
      const more = kind === "audio" ? { voice: true } : kind === "document" ? { filename: file.name } : {};
      await send({ type: kind, [kind]: more }, await uploaded(file));
    },
    edit: (message, text) => send({ type: "edit", edit: { original_message_id: message.id, message: { type: "text", text: { body: text } } } }),
    remove: (message) => send({ type: "revoke", revoke: { original_message_id: message.id } }),
    react: (message, emoji) => send({ type: "reaction", reaction: { message_id: message.id, emoji } }),
    press: (button, message) => send({ type: "interactive", context: { id: message.id }, interactive: { type: "button_reply", button_reply: { id: button.payload, title: button.title } } }),
    read: () => Promise.all(messages.filter((each) => each.outgoing && each.state === "delivered").map((each) => act("status", { message_id: each.id, state: "read" }))),
    menu(words) {
      const card = { name: { formatted_name: "Ann Example", first_name: "Ann" }, phones: [{ phone: "+1 555 010 0002" }] };
      return [
        ["Share a location", () => send({ type: "location", location: { ...SEOUL, name: "City Hall" } })],
        ["Share a contact", () => send({ type: "contacts", contacts: [card] })],
        ["Send something that cannot be shown", () => send({ type: "unsupported", errors: [{ code: 131051, title: "Message type unknown" }] })],
        contact.unreachable ? ["Can be reached again", () => act("people", { number: from, unreachable: "" })] : ["Cannot be reached", () => act("people", { number: from, unreachable: "undeliverable" }), "danger"],
        ["Somebody answers in the business's phone", async () => { const text = await words("Answer from the phone", "text"); if (text) await act("echo", { to: from, message: { type: "text", text: { body: text } } }); }],
      ];
    },
  };
}

/** The buttons of a message from the business, as its payload says them. */
function buttonsOf(payload) {
  const template = payload.attachments?.[0]?.payload?.buttons ?? [];
  const whatsapp = payload.interactive?.action?.buttons ?? [];
  const rows = payload.interactive?.action?.sections?.flatMap((section) => section.rows ?? []) ?? [];
  const named = [...whatsapp.map((button) => button.reply ?? {}), ...rows].map(({ id, title }) => ({ payload: id, title }));
  return [...(payload.quick_replies ?? []), ...template, ...named];
}

function attachmentsOf(message) {
  const { payload } = message;
  const pages = (payload.attachments ?? []).filter((each) => each.type !== "template").map((each) => [each.type, each.payload?.url]);
  const block = payload[message.kind] ?? {};
  const whatsapp = ["image", "video", "audio", "document", "sticker"].includes(message.kind) ? [[message.kind, block.link]] : [];
  return [...pages, ...(message.kind in payload && !pages.length ? whatsapp : [])];
}

function shownAttachment([kind, url]) {
  const ours = url?.startsWith(location.origin);
  if (ours && kind === "image") return make("img", { class: "photo", src: url, alt: "Picture", loading: "lazy", style: "max-width:100%" });
  if (ours && kind === "audio") return make("audio", { src: url, controls: true, style: "max-width:100%" });
  const label = { image: "Picture", video: "Video", audio: "Voice note", document: "Document", file: "File", sticker: "Sticker" }[kind] ?? kind.replaceAll("_", " ");
  return url ? make("a", { href: url, target: "_blank", rel: "noopener noreferrer", text: label }) : make("span", { text: `[${label}]` });
}

const TICKS = { accepted: " ·", sent: " ✓", delivered: " ✓✓", read: " ✓✓ read", played: " ✓✓ played", failed: " ✗ failed" };

/** One message as an item of the list, from the person's side: their own stand at the end of the line. */
export function shownMessage(message, chat, actions) {
  const own = !message.outgoing;
  const reactions = Object.values(message.reactions).filter(Boolean);
  const mine = message.reactions[chat.contact.id];
  const words = message.deleted ? "This message was taken back" : message.text || (attachmentsOf(message).length ? "" : `[${message.kind}]`);
  const tool = (text, work, label) => make("button", { type: "button", text, "aria-label": label, onclick: work });
  const tools = message.deleted ? null : make("span", { class: "tools" },
    tool("Reply", () => actions.reply(message)),
    tool("👍", () => actions.react(message, mine ? "" : "👍"), "React with 👍"),
    own && message.kind === "text" ? tool("Edit", () => actions.edit(message)) : null,
    own ? tool("Delete", () => actions.remove(message)) : null);
  const origin = message.outgoing && message.origin !== "api" ? ` ${message.origin}` : "";
  const meta = `${message.edited ? "edited " : ""}${clock(message.at)}${origin}${message.outgoing ? TICKS[message.state] ?? "" : ""}`;
  const buttons = message.deleted ? [] : buttonsOf(message.payload);
  const bubble = make("div", { class: "bubble" },
    make("span", { class: "hidden", text: own ? "You: " : "The business: " }),
    ...(message.deleted ? [] : attachmentsOf(message).map(shownAttachment)), words, make("span", { class: "meta", text: meta }),
    reactions.length ? make("span", { class: "reactions", text: reactions.join(" ") }) : null, tools);
  const pressed = (button) => button.url ? make("a", { href: button.url, target: "_blank", rel: "noopener noreferrer", text: button.title }) : make("button", { type: "button", text: button.title, onclick: () => actions.press(button, message) });
  const keyboard = buttons.length ? make("div", { class: "inline", role: "group", "aria-label": "Buttons" }, ...buttons.map((button) => make("div", {}, pressed(button)))) : null;
  return make("li", { class: ["message", own ? "own" : "", keyboard ? "with-keyboard" : ""].filter(Boolean).join(" ") }, bubble, keyboard);
}
