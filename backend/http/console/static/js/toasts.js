/* Toasts: what was done, with one way back. Never the only place of an error that needs work. */
import { find, root, text } from "./dom.js";

const MAX_SHOWN = 3;

const button = (words, act) => {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = words;
  made.addEventListener("click", act);
  return made;
};

/* `undo` is the address that takes the act back; `keep` is in milliseconds. */
export const toast = ({ text: words, undo, keep = 8000 }) => {
  const box = find("#toasts");
  if (!box) return;
  const element = document.createElement("div");
  element.className = "toast";
  let timer;
  const close = () => {
    clearTimeout(timer);
    element.remove();
  };
  const start = () => {
    timer = setTimeout(close, keep);
  };
  const hold = () => clearTimeout(timer);
  const said = document.createElement("span");
  said.textContent = words;
  element.append(said);
  if (undo) {
    element.append(button(text("Undo"), () => {
      close();
      globalThis.htmx?.ajax("POST", undo, { swap: "none" });
    }));
  }
  const dismiss = button("✕", close);
  dismiss.className = "x";
  dismiss.setAttribute("aria-label", text("Dismiss"));
  element.append(dismiss);
  element.addEventListener("mouseenter", hold);
  element.addEventListener("focusin", hold);
  element.addEventListener("mouseleave", start);
  element.addEventListener("focusout", start);
  start();
  box.replaceChildren(...[...box.children].slice(1 - MAX_SHOWN), element);
  raise(box);
};

/* A popover that is opened again lies above the dialogs. */
const raise = (box) => {
  if (!box.showPopover) return;
  if (box.matches(":popover-open")) box.hidePopover();
  box.showPopover();
};

// From the server: HX-Trigger: {"toast": {"text": …, "undo": "/…"}}, or printed with the page that follows an act.
document.addEventListener("toast", (event) => toast(event.detail));
if (root.dataset.toast) toast({ text: root.dataset.toast, undo: root.dataset.toastUndo });

document.addEventListener("htmx:responseError", () => toast({ text: text("Failed") }));
document.addEventListener("htmx:sendError", (event) => {
  // What the page asks for by itself is asked for again; an act is not.
  if (event.detail.requestConfig?.verb === "post") toast({ text: text("Unreachable") });
});

document.addEventListener("click", (event) => {
  const source = event.target.closest("[data-copy]");
  if (!source) return;
  navigator.clipboard?.writeText(source.dataset.copy).then(() => toast({ text: text("Copied"), keep: 3000 }));
});
