// The control API as the page uses it, and small pieces of the page itself.

export async function api(method, path, body) {
  const options = { method };
  if (body instanceof FormData) options.body = body;
  else if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "Content-Type": "application/json" };
  }
  const response = await fetch(`/control${path}`, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error?.message ?? `The simulator answered ${response.status}`);
  return answer;
}

export const find = (id) => document.getElementById(id);

/** An element with properties (class, text, aria-*, on…) and children. Texts are never read as HTML. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const hue = (id) => (Math.abs(Number(id)) * 137) % 360;

export function avatar(name, id) {
  const letters = name.split(/\s+/).map((word) => [...word][0] ?? "").slice(0, 2).join("").toUpperCase();
  return make("span", { class: "avatar", style: `--hue:${hue(id)}`, "aria-hidden": "true", text: letters });
}

export const nameOf = (user) => user ? [user.first_name, user.last_name].filter(Boolean).join(" ") || "Deleted account" : "";

export const titleOf = (chat) => chat.title ?? nameOf(chat);

export const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

let toastTimer;
export function toast(text) {
  const element = find("toast");
  element.textContent = text;
  element.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { element.hidden = true; }, 4200);
}

/** Ask in a dialog. `fields` are elements with a name; resolves to their values, or null when it was dismissed. */
export function ask(title, fields, accept = "OK", cancel = "Cancel") {
  const dialog = find("dialog");
  const form = dialog.querySelector("form");
  dialog.className = "";
  form.replaceChildren(
    make("h2", { text: title }),
    ...fields,
    make("menu", {},
      cancel ? make("button", { class: "quiet", value: "cancel", text: cancel, formnovalidate: true }) : null,
      make("button", { class: "filled", value: "accept", text: accept })),
  );
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "accept" ? Object.fromEntries(new FormData(form)) : null);
    dialog.returnValue = "";
    dialog.showModal();
    (form.querySelector("input, select") ?? form.querySelector(".filled")).focus();
  });
}

export function field(label, name, properties = {}) {
  return make("label", { text: label }, make("input", { name, autocomplete: "off", ...properties }));
}

export function showPicture(address, description) {
  const dialog = find("dialog");
  dialog.className = "picture";
  dialog.querySelector("form").replaceChildren(
    make("img", { src: address, alt: description }),
    make("menu", {}, make("button", { class: "filled", value: "close", text: "Close" })));
  dialog.onclose = null;
  dialog.showModal();
}
