/* Menus are popovers; the script puts them under their button and moves the keyboard in them. */
import { find, findAll } from "./dom.js";

const GAP = 8;

const place = (menu) => {
  const button = find(`[popovertarget="${menu.id}"]`)?.getBoundingClientRect();
  if (!button) return;
  const left = Math.min(button.left, innerWidth - menu.offsetWidth - GAP);
  const above = button.bottom + menu.offsetHeight + GAP > innerHeight && button.top > menu.offsetHeight + GAP;
  menu.style.left = `${Math.max(GAP, left)}px`;
  menu.style.top = `${above ? button.top - menu.offsetHeight - 4 : button.bottom + 4}px`;
  find("a, button, input", menu)?.focus({ preventScroll: true });
};

document.addEventListener("toggle", (event) => {
  if (event.target.matches?.(".menu") && event.newState === "open") place(event.target);
}, true);

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.(".menu");
  if (!menu || (event.key !== "ArrowDown" && event.key !== "ArrowUp")) return;
  event.preventDefault();
  const entries = findAll("a, button, input", menu);
  const at = entries.indexOf(document.activeElement);
  entries.at((at + (event.key === "ArrowDown" ? 1 : -1)) % entries.length)?.focus();
});
