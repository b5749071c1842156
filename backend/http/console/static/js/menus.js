/* Menus are popovers; the script puts them under their button and moves the keyboard in them. */
import { find, findAll } from "./dom.js";

const GAP = 8;
const ENTRIES = "a, button, input:not([type=hidden])";

const place = (menu) => {
  const buttons = findAll(`[popovertarget="${menu.id}"]`);
  const button = (buttons.find((one) => one.offsetParent) || buttons[0])?.getBoundingClientRect();
  if (!button) return;
  const left = Math.min(button.left, innerWidth - menu.offsetWidth - GAP);
  const above = button.bottom + menu.offsetHeight + GAP > innerHeight && button.top > menu.offsetHeight + GAP;
  menu.style.left = `${Math.max(GAP, left)}px`;
  menu.style.top = `${above ? button.top - menu.offsetHeight - 4 : button.bottom + 4}px`;
  find(ENTRIES, menu)?.focus({ preventScroll: true });
};

document.addEventListener("toggle", (event) => {
  if (event.target.matches?.(".menu") && event.newState === "open") place(event.target);
}, true);

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.(".menu");
  if (!menu || (event.key !== "ArrowDown" && event.key !== "ArrowUp")) return;
  event.preventDefault();
  const entries = findAll(ENTRIES, menu).filter((entry) => entry.offsetParent);
  const at = entries.indexOf(document.activeElement);
  entries.at((at + (event.key === "ArrowDown" ? 1 : -1)) % entries.length)?.focus();
});
