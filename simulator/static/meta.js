// The phones of people who write to a WhatsApp number, to a page or to an Instagram account.

import { api, ask, avatar, clock, field, find, make, toast } from "/static/api.js";
import { people, shownMessage } from "/static/meta_people.js";

const KINDS = { number: "WhatsApp", page: "Messenger", instagram: "Instagram" };
const state = { chats: [], open: location.hash.slice(1) || null, reply: null, edit: null };
const key = (chat) => `${chat.node.id}/${chat.contact.id}`;
const opened = () => state.chats.find((chat) => key(chat) === state.open);
const can = () => people(opened());

async function attempt(work) {
  try { return await work(); } catch (error) { toast(error.message); return null; }
}

async function load() {
  const { objects } = await api("GET", "/graph/state");
  const nodes = objects.filter((node) => KINDS[node.kind]);
  const threads = await Promise.all(nodes.map((node) => api("GET", `/graph/threads/${node.id}`)));
  state.chats = nodes.flatMap((node, place) => threads[place].threads.map((thread) => ({ node, ...thread })));
  if (!opened() && state.chats.length) state.open = key(state.chats[0]);
}

function showList() {
  find("chats").replaceChildren(...state.chats.map((chat) => {
    const last = chat.messages.at(-1);
    return make("li", {}, make("button", { type: "button", class: "chat", "aria-current": String(key(chat) === state.open), onclick: () => open(key(chat)) },
      avatar(chat.contact.name, chat.contact.id.slice(-6)), make("b", { text: chat.contact.name }), make("time", { text: last ? clock(last.at) : "" }),
      make("small", { text: `${KINDS[chat.node.kind]} · ${last ? last.text || last.kind : "No messages yet"}` })));
  }));
}

function showChat() {
  const chat = opened();
  find("composer").hidden = !chat;
  if (!chat) return;
  const face = avatar(chat.contact.name, chat.contact.id.slice(-6));
  face.id = "avatar";
  find("avatar").replaceWith(face);
  find("title").textContent = chat.contact.name;
  const owner = chat.node.hidden.control?.[chat.contact.id];
  const account = chat.node.fields.verified_name ?? chat.node.fields.name ?? chat.node.id;
  find("subtitle").textContent = `${KINDS[chat.node.kind]} with ${account}${chat.contact.unreachable ? " · blocked" : ""}${owner ? ` · ${owner} is in charge` : ""}`;
  const scroller = find("scroller");
  const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 120;
  find("messages").replaceChildren(...chat.messages.map((message) => shownMessage(message, chat, actions)));
  find("empty").hidden = chat.messages.length > 0;
  if (atEnd) scroller.scrollTop = scroller.scrollHeight;
}

async function refresh() {
  await attempt(async () => {
    await load();
    showList();
    showChat();
    // Whoever looks at a chat reads it.
    const unread = opened()?.messages.some((message) => message.outgoing && message.state === "delivered");
    if (unread && document.visibilityState === "visible") await can().read();
  });
}

async function open(which) {
  state.open = which;
  history.replaceState(null, "", `#${which}`);
  document.body.dataset.screen = "chat";
  compose(null, null);
  await refresh();
  find("scroller").scrollTop = find("scroller").scrollHeight;
}

function compose(reply, edit) {
  Object.assign(state, { reply, edit });
  find("composing").hidden = !reply && !edit;
  find("composing").querySelector("span").textContent = edit ? "Edit message" : reply ? `Reply to: ${reply.text || reply.kind}` : "";
  find("text").value = edit?.text ?? "";
  if (reply || edit) find("text").focus();
}

const actions = {
  reply: (message) => compose(message, null),
  edit: (message) => compose(null, message),
  remove: (message) => attempt(() => can().remove(message)),
  react: (message, emoji) => attempt(() => can().react(message, emoji)),
  press: (button, message) => attempt(() => can().press(button, message)),
};

function menuItems() {
  const chat = opened();
  if (!chat) return [];
  return can().menu(async (title, name) => (await ask(title, [field("Text", name, { required: true })], "Send"))?.[name]);
}

function toggleMenu(show) {
  const items = show ? menuItems() : [];
  find("menu").hidden = !show;
  find("menu-button").setAttribute("aria-expanded", String(show));
  const choose = (work) => async () => { toggleMenu(false); await attempt(work); await refresh(); };
  find("menu").replaceChildren(...items.map(([text, work, kind]) => make("button", { type: "button", class: kind, text, onclick: choose(work) })));
  find("menu").querySelector("button")?.focus();
}

find("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = find("text").value.trim();
  if (!text) return;
  attempt(async () => {
    await (state.edit ? can().edit(state.edit, text) : can().say(text, state.reply));
    compose(null, null);
    await refresh();
    find("scroller").scrollTop = find("scroller").scrollHeight;
  });
});
find("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); find("composer").requestSubmit(); }
});
find("attach").addEventListener("click", () => find("file").click());
find("file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (file) await attempt(() => can().file(file));
  event.target.value = "";
});
find("composing").querySelector("button").addEventListener("click", () => compose(null, null));
find("back").addEventListener("click", () => { document.body.dataset.screen = "list"; });
find("menu-button").addEventListener("click", () => toggleMenu(find("menu").hidden));
document.addEventListener("click", (event) => { if (!event.target.closest(".menu-holder")) toggleMenu(false); });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !find("menu").hidden) { toggleMenu(false); find("menu-button").focus(); }
});
find("add-person").addEventListener("click", () => attempt(async () => {
  const { objects } = await api("GET", "/graph/state");
  const nodes = objects.filter((node) => KINDS[node.kind]);
  const where = make("select", { name: "node" }, ...nodes.map((node) => make("option", { value: node.id, text: `${KINDS[node.kind]} ${node.fields.name ?? node.fields.display_phone_number ?? node.id}` })));
  const answer = await ask("Add a person", [field("Name", "name", { required: true }), make("label", { text: "Writes to" }, where)], "Add");
  if (!answer) return;
  const node = nodes.find((each) => each.id === answer.node);
  const made = await people({ node, contact: {} }).join(answer.name);
  await load();
  await open(`${node.id}/${made.id}`);
}));

const source = new EventSource("/control/graph/events");
let planned = null;
source.onmessage = ({ data }) => {
  const event = JSON.parse(data);
  if (event.type === "graph_action" && event.action === "typing_on" && `${event.node}/${event.contact}` === state.open) {
    find("subtitle").textContent = "typing…";
    setTimeout(showChat, 5000);
    return;
  }
  planned ??= setTimeout(() => { planned = null; refresh(); }, 60);
};
await refresh();
find("scroller").scrollTop = find("scroller").scrollHeight;
