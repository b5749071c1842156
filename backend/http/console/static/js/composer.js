/* What is written in the inbox: kept until it was taken, asked about where somebody else was faster. */
import { find } from "./dom.js";
import { close, open } from "./dialogs.js";
import { now } from "./times.js";

const SEEN = 3000; // milliseconds after which what has arrived counts as seen
const LOOK = 5000; // milliseconds between two looks at the window's rest

const form = () => find("#composer");
const words = () => find("#words");

const typed = () => words()?.dispatchEvent(new Event("input", { bubbles: true }));

const insert = (text) => {
  const field = words();
  if (!field) return;
  field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
  field.focus();
  typed();
};

/* The files of a canned reply are the server's: they go along by their ids. */
const attach = (given) => {
  const box = find("#attached");
  for (const { id, name } of JSON.parse(given || "[]")) {
    const label = document.createElement("label");
    label.className = "chip";
    const field = document.createElement("input");
    Object.assign(field, { type: "checkbox", name: "file_ids", value: id, checked: true });
    label.append(field, name);
    box?.append(label);
  }
};

const showFiles = () => {
  const names = [...(find("#files")?.files || [])].map((file) => file.name).join(", ");
  const said = find("#chosen");
  if (!said) return;
  said.textContent = names;
  find("#no-files").hidden = !names;
};

let sent = "";

/* What was sent leaves the field; what was typed while it went stays. */
const emptied = () => {
  const field = words();
  if (field) field.value = field.value.startsWith(sent) ? field.value.slice(sent.length) : field.value;
  if (find("#files")) find("#files").value = "";
  find("#attached")?.replaceChildren();
  find("#said")?.replaceChildren();
  showFiles();
};

document.addEventListener("click", (event) => {
  // What a menu's button sends goes first: a form that is not shown sends nothing.
  const closing = event.target.closest("[data-closes]");
  if (closing) setTimeout(() => closing.closest("[popover]")?.hidePopover());
  const canned = event.target.closest("[data-insert]");
  if (canned) {
    canned.closest("[popover]")?.hidePopover();
    insert(canned.dataset.insert);
    attach(canned.dataset.files);
  }
  // Choosing how to write is choosing to write; by the arrows one only walks.
  const byArrow = event.isTrusted && event.detail === 0;
  if (event.target.matches("[data-writes]") && !byArrow) words()?.focus();
  if (event.target.closest("#no-files")) {
    find("#files").value = "";
    showFiles();
  }
});

document.addEventListener("input", (event) => {
  const field = event.target;
  if (field.id === "words" && field.value === "/") {
    field.value = "";
    find("#canned")?.showPopover();
  }
  const list = field.dataset?.narrows && document.getElementById(field.dataset.narrows);
  if (!list) return;
  const wanted = field.value.toLowerCase().split(/\s+/);
  for (const one of list.children) one.hidden = !wanted.every((word) => one.textContent.toLowerCase().includes(word));
});

document.addEventListener("change", (event) => {
  if (event.target.id === "files") showFiles();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.dataset?.narrows) return;
  event.preventDefault();
  const list = document.getElementById(event.target.dataset.narrows);
  const first = [...list.children].find((one) => !one.hidden);
  (find("button", first) || first)?.click();
});

/* The last message that somebody who writes has seen: what comes after it is asked about. */
const seen = (path, last) => {
  const expected = find("#expected");
  if (expected && find("#open-now")?.dataset.path === path) expected.value = last;
};

const toBeSeen = () => {
  const path = find("#open-now")?.dataset.path;
  const last = find("#thread [data-last]")?.dataset.last || "";
  if (words()?.value) setTimeout(() => seen(path, last), SEEN);
  else seen(path, last);
};

const look = () => {
  const state = find("#composer-state");
  if (!state || !form()) return;
  const isOver = state.dataset.until && Date.parse(state.dataset.until) <= now();
  if (isOver) globalThis.htmx.trigger(document.body, "done");
  if (state.dataset.mode !== form().dataset.mode) {
    globalThis.htmx.ajax("GET", state.dataset.composer, { source: "#composer-box", target: "#composer-box" });
  }
};

let kept = "";
document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, xhr } = event.detail;
  if (target.id === "composer-box") kept = words()?.value || "";
  // A refusal says why in the place that the server names.
  if (xhr.status >= 400 && xhr.getResponseHeader("HX-Retarget")) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  }
});

document.addEventListener("htmx:afterSwap", (event) => {
  const id = event.detail.target.id;
  if (id === "composer-box" && kept && words() && !words().value) words().value = kept;
  if (id === "moved") open("moved", words());
  if (id === "said") find("#said [tabindex]")?.focus();
  if (id === "thread") {
    look();
    toBeSeen();
  }
});

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.id === "composer") sent = words()?.value || "";
});

document.addEventListener("htmx:sendError", (event) => {
  const template = find("#unreachable");
  if (event.detail.elt.id === "composer" && template) find("#said").replaceChildren(template.content.cloneNode(true));
});

/* From the server: what was written has been taken. */
document.addEventListener("written", () => {
  const dialog = find("#moved[open]");
  if (dialog) close(dialog);
  emptied();
  words()?.focus();
});

setInterval(look, LOOK);
