/* Live events: each topic that changed becomes an event on body, live:<topic>, and live:<topic>_<id> where it
   belongs to a conversation; at once after a quiet second, otherwise once a second, and none is lost. */
import { find, findAll, text } from "./dom.js";

const COLLECT = 1000; // milliseconds
const SOON = 30; // milliseconds: what belongs together comes in one document, or in the next
const changed = new Set();
let timer;
let announced = -COLLECT;

const announce = () => {
  timer = undefined;
  announced = performance.now();
  const topics = [...changed];
  changed.clear();
  for (const topic of topics) globalThis.htmx.trigger(document.body, topic);
};

const collect = (topics) => {
  for (const topic of topics) changed.add(topic);
  timer ||= setTimeout(announce, Math.max(SOON, announced + COLLECT - performance.now()));
};

/* Every topic that a part of this page listens for: after a gap in the events all of them are asked for again. */
const followed = (parts = "") =>
  findAll(`[hx-trigger]${parts}`).flatMap((part) => part.getAttribute("hx-trigger").match(/live:\w+/g) || []);

const show = (tone, words) => {
  const state = find("#live");
  if (!state) return;
  find(".dot", state).dataset.tone = tone;
  find(".live-text", state).textContent = words;
};

if (globalThis.htmx) {
  globalThis.htmx.createEventSource = (url) => {
    const source = new EventSource(url, { withCredentials: true });
    source.addEventListener("message", (event) => {
      const changes = JSON.parse(event.data).changes || [];
      collect(changes.flatMap(({ topic, ids }) => [
        `live:${topic}`,
        ...(ids.conversation_id ? [`live:${topic}_${ids.conversation_id}`] : []),
      ]));
    });
    source.addEventListener("reset", () => collect(followed()));
    // What happened between the printing of the page and here was not heard of; some parts must not miss it.
    source.addEventListener("ready", () => collect(followed("[data-fresh]")));
    return source;
  };
}

document.addEventListener("htmx:sseOpen", () => show("ok", text("Live")));
document.addEventListener("htmx:sseError", () => show("warn", text("Reconnecting")));

// The row with the cursor is the browser's, and so are the words in the field with the focus: what is printed again
// keeps both.
if (globalThis.Idiomorph) {
  globalThis.Idiomorph.defaults.ignoreActiveValue = true;
  globalThis.Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name) => name !== "data-cursor";
}
