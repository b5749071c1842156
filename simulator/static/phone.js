// The phone: whose it is, which chat is open, what is said there, live.

import { api, ask, avatar, clock, field, find, make, nameOf, titleOf, toast } from "/static/api.js";
import { messageElement, preview } from "/static/messages.js";
import { isLogin, outsideCode, privateActions, privateChats, privateMessages, scan, TELEGRAM } from "/static/private.js";

const SHOWN = 200;
const state = { people: [], bots: [], person: null, chats: [], begun: null, open: null, thread: 0, payload: null, reply: null, edit: null, details: null };
const shown = new Map();
const waiting = new Map();
const act = (action, body) => api("POST", `/people/${state.person}/${action}`, body);
const key = (entry) => `${entry.chat.id}/${entry.bot_id ?? 0}`;
const opened = () => state.chats.find((entry) => key(entry) === state.open);
const reference = (entry) => entry.bot_id ?? entry.chat.id;
const titleFor = (entry) => (entry.bot ? entry.bot.first_name : titleOf(entry.chat));
const privately = () => privateActions(state.person, opened());

/** Do something and show what went wrong, if it did. */
async function attempt(work) {
  try { return await work(); } catch (error) { toast(error.message); return null; }
}

// ---- the list

async function loadWorld() {
  const world = await api("GET", "/state");
  state.people = world.people;
  state.bots = world.bots;
  const known = Number(localStorage.getItem("person"));
  if (!state.people.some((person) => person.id === state.person)) {
    state.person = state.people.some((person) => person.id === known) ? known : state.people[0]?.id ?? null;
  }
  find("people").replaceChildren(...state.people.map((person) => make("button", {
    type: "button", class: "person", role: "radio", "aria-checked": String(person.id === state.person), onclick: () => choosePerson(person.id),
  }, avatar(nameOf(person), person.id), nameOf(person))));
}

async function loadChats() {
  if (state.person === null) return;
  const listed = (await api("GET", `/people/${state.person}/chats`)).chats;
  state.chats = [...listed, ...await privateChats(state.person, state.begun)];
  if (!opened() && state.chats.length) state.open = key(state.chats[0]);
  find("chats").replaceChildren(...state.chats.map((entry) => {
    const last = entry.last_message;
    const what = entry.blocked ? (entry.private ? "You blocked this person" : "You blocked this bot") : last ? preview(last) : "No messages yet";
    return make("li", {}, make("button", { type: "button", class: "chat", "aria-current": String(key(entry) === state.open), onclick: () => openChat(key(entry)) },
      avatar(titleFor(entry), reference(entry)), make("b", { text: titleFor(entry) }), make("time", { text: last ? clock(last.date) : "" }), make("small", { text: what }),
      entry.unread ? make("span", { class: "unread", text: String(entry.unread), "aria-label": `${entry.unread} unread` }) : null));
  }));
}

async function choosePerson(id) {
  state.person = id;
  localStorage.setItem("person", String(id));
  state.begun = null;
  forgetChat();
  await refresh();
}

function forgetChat() {
  state.thread = 0;
  state.payload = null;
  compose(null, null);
  shown.clear();
  find("messages").replaceChildren();
}

async function openChat(which, payload = null) {
  if (which !== state.open || payload !== null) forgetChat();
  state.open = which;
  state.payload = payload;
  document.body.dataset.screen = "chat";
  await refresh();
}

// ---- the chat

async function loadChat() {
  const entry = opened();
  if (!entry) return;
  if (entry.private) { await loadPrivate(entry); return; }
  const query = entry.bot_id ? `?bot=${entry.bot_id}&limit=${SHOWN}` : `?limit=${SHOWN}`;
  const asked = state.open;
  const chat = await api("GET", `/chats/${entry.chat.id}/messages${query}`);
  state.details = entry.bot_id ? null : await api("GET", `/chats/${entry.chat.id}`);
  if (asked !== state.open) return;
  showHead(entry);
  showTopics();
  showMessages(chat.messages);
  showBottom(entry, chat);
}

async function loadPrivate(entry) {
  const asked = state.open;
  const messages = await privateMessages(state.person, entry);
  if (asked !== state.open) return;
  state.details = null;
  showHead(entry);
  showTopics();
  showMessages(messages.slice(-SHOWN));
  showBottom(entry, { started: true, blocked: false });
}

function showHead(entry) {
  const face = avatar(titleFor(entry), reference(entry));
  face.id = "avatar";
  find("avatar").replaceWith(face);
  find("title").textContent = titleFor(entry);
  const members = state.details?.members.filter((member) => !["left", "kicked"].includes(member.status)).length;
  if (!find("subtitle").classList.contains("live")) {
    const alone = entry.chat.id === TELEGRAM ? "Service notifications" : entry.blocked ? "blocked" : "person";
    find("subtitle").textContent = entry.private ? alone : entry.bot ? `@${entry.bot.username} · bot` : `${entry.chat.type} · ${members} members`;
  }
}

function showTopics() {
  const topics = state.details?.is_forum ? state.details.topics.filter((topic) => !topic.deleted) : [];
  find("topics").hidden = !topics.length;
  find("topics").replaceChildren(...topics.map((topic) => {
    const number = topic.id === 1 ? 0 : topic.id;
    const choose = () => { state.thread = number; shown.clear(); find("messages").replaceChildren(); refresh(); };
    return make("button", { type: "button", "aria-current": String(number === state.thread), text: topic.name + (topic.closed ? " (closed)" : ""), onclick: choose });
  }));
}

function showMessages(messages) {
  const visible = state.details?.is_forum ? messages.filter((message) => (message.message_thread_id ?? 0) === state.thread) : messages;
  const list = find("messages");
  const scroller = find("scroller");
  const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 120;
  const kept = new Set(visible.map((message) => message.message_id));
  for (const [id, item] of shown) if (!kept.has(id)) { item.element.remove(); shown.delete(id); }
  let added = false;
  for (const message of visible) {
    const content = JSON.stringify(message);
    const before = shown.get(message.message_id);
    if (before?.content === content) continue;
    const element = messageElement(message, state.person, actions);
    if (before) {
      before.element.replaceWith(element);
      element.style.animation = "none";
      element.querySelector(".bubble")?.classList.add("changed");
    } else { list.append(element); added = true; }
    shown.set(message.message_id, { content, element });
  }
  const last = visible.findLast((message) => message.keyboard);
  showKeyboard(last?.keyboard);
  find("empty").hidden = visible.length > 0;
  if (added && (atEnd || shown.size === kept.size)) scroller.scrollTop = scroller.scrollHeight;
}

function showKeyboard(markup) {
  const rows = markup?.keyboard ?? [];
  find("keyboard").hidden = !rows.length;
  find("keyboard").replaceChildren(...rows.map((row) => make("div", {}, ...row.map((item) => make("button", { type: "button", text: item.text, onclick: () => say(item.text) })))));
}

function showBottom(entry, chat) {
  const needsStart = Boolean(entry.bot) && (!chat.started || state.payload !== null || chat.blocked);
  const closed = Boolean(chat.migrated_to) || entry.chat.id === TELEGRAM;
  find("composer").hidden = needsStart || closed;
  find("start").hidden = !needsStart;
  find("start").textContent = chat.blocked ? "UNBLOCK AND RESTART" : "START";
  if (needsStart || closed) find("keyboard").hidden = true;
  if (!find("empty").hidden) {
    const about = entry.bot ? "Press START to let the bot write to you." : "Say something.";
    find("empty").replaceChildren(make("b", { text: entry.bot ? `What can ${entry.bot.first_name} do?` : "No messages here yet" }), about);
  }
}

async function refresh() {
  await attempt(async () => { await loadWorld(); await loadChats(); await loadChat(); });
}

// ---- what the person does

const say = (text) => attempt(async () => {
  if (opened().private) {
    await (state.edit ? privately().edit(state.edit, text) : privately().say(text, state.reply));
    compose(null, null);
    find("scroller").scrollTop = find("scroller").scrollHeight;
    return;
  }
  const where = { chat: reference(opened()), thread_id: state.thread || undefined };
  if (state.edit) await act("edit", { chat: where.chat, message_id: state.edit.message_id, text });
  else await act("say", { ...where, text, reply_to: state.reply?.message_id });
  compose(null, null);
  find("scroller").scrollTop = find("scroller").scrollHeight;
});

function compose(reply, edit) {
  Object.assign(state, { reply, edit });
  find("composing").hidden = !reply && !edit;
  find("composing").querySelector("span").textContent = edit ? "Edit message" : reply ? `Reply to: ${preview(reply)}` : "";
  find("text").value = edit ? edit.text ?? edit.caption ?? "" : "";
  if (reply || edit) find("text").focus();
}

const choices = (name, entries) => make("select", { name }, ...entries.map((entry) => make("option", { value: reference(entry), text: titleFor(entry) })));

const actions = {
  command: (text) => say(text),
  reply: (message) => compose(message, null),
  edit: (message) => compose(null, message),
  react: (message, emoji) => attempt(() => privately().react(message, emoji)),
  remove: (message) => attempt(() => opened().private ? privately().remove(message) : act("delete", { chat: reference(opened()), message_id: message.message_id })),
  async forward(message) {
    const answer = await ask("Forward to", [choices("chat", state.chats.filter((entry) => !entry.blocked && !entry.private))], "Forward");
    if (answer) await attempt(() => act("forward", { from_chat: reference(opened()), message_id: message.message_id, chat: Number(answer.chat) }));
  },
  press: (message, item, button) => attempt(async () => {
    button.classList.add("waiting");
    const pressed = await act("press", { chat: reference(opened()), message_id: message.message_id, data: item.callback_data });
    waiting.set(pressed.callback_query_id, button);
    setTimeout(() => answered({ callback_query_id: pressed.callback_query_id }), 15000);
  }),
  /** True when the address is a bot of this box, which then opens here. */
  open(address) {
    const match = address.match(/^(?:https?:\/\/(?:t\.me|telegram\.me)\/|tg:\/\/resolve\?domain=)(\w+)/i);
    if (!match || !state.bots.some((bot) => bot.username.toLowerCase() === match[1].toLowerCase())) return false;
    openLink(address);
    return true;
  },
};

function answered(event) {
  waiting.get(event.callback_query_id)?.classList.remove("waiting");
  waiting.delete(event.callback_query_id);
  if (!event.text || event.person_id !== state.person) return;
  if (event.show_alert) ask("Answer", [make("p", { text: event.text })], "OK", null);
  else toast(event.text);
}

async function openLink(address) {
  if (isLogin(address)) { await scan(state.person, address); toast("Logged in on the other device"); return; }
  const url = new URL(address.trim(), location.origin);
  const username = url.searchParams.get("domain") ?? url.pathname.replace(/^\/(t\/)?/, "").replace(/\/$/, "");
  const bot = state.bots.find((candidate) => candidate.username.toLowerCase() === username.toLowerCase());
  if (!bot) { toast(`There is no bot @${username} here`); return; }
  const startgroup = url.searchParams.get("startgroup");
  if (startgroup !== null) {
    const groups = state.chats.filter((entry) => !entry.bot && entry.chat.type !== "channel" && !entry.migrated_to);
    const answer = await ask(`Add ${bot.first_name} to which group?`, [choices("chat", groups)], "Add");
    if (!answer) return;
    await attempt(() => act("start", { link: `/${username}?startgroup=${encodeURIComponent(startgroup)}`, chat: Number(answer.chat) }));
    await openChat(`${answer.chat}/0`);
    return;
  }
  await openChat(`${state.person}/${bot.id}`, url.searchParams.get("start") ?? (url.search ? "" : null));
}

async function sendFile(file) {
  const form = new FormData();
  form.set("chat", String(reference(opened())));
  form.set("file", file);
  form.set("caption", find("text").value);
  if (state.thread) form.set("thread_id", String(state.thread));
  const isPicture = /^image\/(png|jpeg|gif|webp)$/.test(file.type);
  if (opened().private) {
    form.set("kind", isPicture ? "photo" : "document");
    await attempt(() => privately().file(form));
  } else await attempt(() => act(isPicture ? "photo" : "document", form));
  find("text").value = "";
}

// ---- the menu

function menuItems() {
  const entry = opened();
  if (!entry) return [];
  if (entry.private) return privately().menu();
  if (entry.bot) {
    const commands = state.bots.find((bot) => bot.id === entry.bot_id)?.commands ?? {};
    const listed = Object.values(commands)[0] ?? [];
    const items = entry.blocked || !entry.started ? [] : listed.map(({ command, description }) => [`/${command} – ${description}`, () => say(`/${command}`)]);
    items.push(entry.blocked ? ["Unblock the bot", () => act("unblock", { bot: entry.bot_id })] : ["Block the bot", () => act("block", { bot: entry.bot_id }), "danger"]);
    return items;
  }
  const path = `/chats/${entry.chat.id}`;
  const items = state.bots.map((bot) => {
    const here = state.details.members.some((member) => member.user.id === bot.id && !["left", "kicked"].includes(member.status));
    const set = (status) => () => api("PUT", `${path}/members/${bot.id}`, { status, by: state.person });
    return here ? [`Remove ${bot.first_name}`, set("kicked"), "danger"] : [`Add ${bot.first_name}`, set("member")];
  });
  if (entry.chat.type === "group" && !entry.migrated_to) items.push(["Upgrade to a supergroup", () => api("POST", `${path}/migrate`)]);
  if (entry.chat.is_forum) items.push(["New topic", async () => {
    const answer = await ask("New topic", [field("Name", "name", { required: true })], "Create");
    if (answer) await api("POST", `${path}/topics`, { name: answer.name });
  }]);
  return items;
}

async function toggleMenu(show) {
  const items = show ? await menuItems() : [];
  find("menu").hidden = !show;
  find("menu-button").setAttribute("aria-expanded", String(show));
  if (!show) return;
  const choose = (work) => async () => { toggleMenu(false); await attempt(work); await refresh(); };
  find("menu").replaceChildren(...items.map(([text, work, kind]) => make("button", { type: "button", class: kind, text, onclick: choose(work) })));
  find("menu").querySelector("button")?.focus();
}

// ---- wiring

function listen() {
  const source = new EventSource("/control/events");
  let planned = null;
  let typing;
  const soon = () => { planned ??= setTimeout(() => { planned = null; refresh(); }, 40); };
  source.onmessage = ({ data }) => {
    const event = JSON.parse(data);
    if (event.type === "private" && event.what === "code" && event.account === state.person) {
      outsideCode(state.person).then((text) => { if (text) toast(text); });
    }
    if (event.type === "answer") answered(event);
    else if (event.type === "action") {
      const entry = opened();
      if (!entry || entry.chat.id !== event.chat_id || (entry.bot_id ?? 0) !== event.bot_id) return;
      find("subtitle").textContent = event.action === "typing" ? "typing…" : `${event.action.replaceAll("_", " ")}…`;
      find("subtitle").classList.add("live");
      clearTimeout(typing);
      typing = setTimeout(() => { find("subtitle").classList.remove("live"); showHead(opened()); }, 5000);
    } else {
      if (event.type === "message") find("subtitle").classList.remove("live");
      soon();
    }
  };
  source.onopen = soon;
}

find("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = find("text").value.trim();
  if (text) say(text);
});
find("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); find("composer").requestSubmit(); }
});
find("start").addEventListener("click", () => attempt(async () => {
  await act("start", { bot: opened().bot_id, payload: state.payload ?? "" });
  state.payload = null;
  history.replaceState(null, "", "/");
  await refresh();
}));
find("back").addEventListener("click", () => { document.body.dataset.screen = "list"; });
find("composing").querySelector("button").addEventListener("click", () => compose(null, null));
find("attach").addEventListener("click", () => find("file").click());
find("file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (file) await sendFile(file);
  event.target.value = "";
});
find("menu-button").addEventListener("click", () => toggleMenu(find("menu").hidden));
document.addEventListener("click", (event) => { if (!event.target.closest(".menu-holder")) toggleMenu(false); });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !find("menu").hidden) { toggleMenu(false); find("menu-button").focus(); }
});
find("people").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const index = state.people.findIndex((person) => person.id === state.person) + step;
  const next = state.people.at(index % state.people.length);
  choosePerson(next.id).then(() => find("people").querySelector('[aria-checked="true"]').focus());
});
find("link-form").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(() => openLink(find("link").value));
});
find("add-person").addEventListener("click", () => attempt(async () => {
  const answer = await ask("Add a person", [field("First name", "first_name", { required: true }), field("Last name", "last_name"), field("Phone (for an account)", "phone", { inputmode: "tel", placeholder: "+1 202 555 0101" }), field("Language (en, ko, …)", "language_code", { value: "en", pattern: "[a-z]{2}" })], "Add");
  if (!answer) return;
  const { phone, ...person } = answer;
  const digits = phone.replace(/[^0-9]/g, "");
  const made = digits ? await api("POST", "/accounts", { ...person, phone: digits }) : await api("POST", "/people", person);
  await choosePerson(made.id);
}));
find("add-chat").addEventListener("click", () => attempt(async () => {
  const others = state.people.filter((person) => person.id !== state.person);
  const listed = make("select", { name: "person" }, ...others.map((person) => make("option", { value: person.id, text: nameOf(person) })));
  const answer = await ask("Write to whom?", [listed], "Open");
  if (!answer) return;
  state.begun = others.find((person) => person.id === Number(answer.person)) ?? null;
  await openChat(`${answer.person}/0`);
}));
find("add-group").addEventListener("click", () => attempt(async () => {
  const kind = make("select", { name: "type" }, ...["group", "supergroup", "forum", "channel"].map((value) => make("option", { value, text: value })));
  const answer = await ask("New group", [field("Name", "title", { required: true }), make("label", { text: "Kind" }, kind)], "Create");
  if (!answer) return;
  const type = answer.type === "forum" ? "supergroup" : answer.type;
  const members = state.people.map((person) => person.id).filter((id) => id !== state.person);
  const made = await api("POST", "/chats", { title: answer.title, type, is_forum: answer.type === "forum", creator: state.person, members });
  await openChat(`${made.id}/0`);
}));

await attempt(async () => {
  await loadWorld();
  await loadChats();
  if (location.pathname !== "/") await openLink(location.href);
  else if (opened()) await loadChat();
});
listen();
