/* Live events: each topic that changed becomes an event on body, live:<topic>, at most once a second, and none is lost. */
import { find, findAll, text } from "./dom.js";

const COLLECT = 1000; // milliseconds
const changed = new Set();
let timer;

const announce = () => {
  timer = undefined;
  const topics = [...changed];
  changed.clear();
  for (const topic of topics) globalThis.htmx.trigger(document.body, topic);
};

const collect = (topics) => {
  for (const topic of topics) changed.add(topic);
  timer ||= setTimeout(announce, COLLECT);
};

/* Every topic that a part of this page listens for: after a gap in the events all of them are asked for again. */
const followed = () =>
  findAll("[hx-trigger]").flatMap((part) => part.getAttribute("hx-trigger").match(/live:\w+/g) || []);

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
      collect((JSON.parse(event.data).changes || []).map((change) => `live:${change.topic}`));
    });
    source.addEventListener("reset", () => collect(followed()));
    return source;
  };
}

document.addEventListener("htmx:sseOpen", () => show("ok", text("Live")));
document.addEventListener("htmx:sseError", () => show("warn", text("Reconnecting")));

// The row with the cursor is the browser's: a list that is printed again keeps it.
if (globalThis.Idiomorph) {
  globalThis.Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name) => name !== "data-cursor";
}
