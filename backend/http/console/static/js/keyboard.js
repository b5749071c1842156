/* Keyboard shortcuts. Single letters can be switched off in the sheet that ? opens (WCAG 2.1.4). */
import { find, findAll, root } from "./dom.js";
import { closeOverlay, open } from "./dialogs.js";
import { openPalette } from "./palette.js";

const TYPING = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
const GO_WITHIN = 1200; // milliseconds between g and the letter of a page

// Where the browser keeps nothing for this page, reading and writing its storage raise an error.
const remember = (value) => {
  try {
    localStorage.keys = value;
  } catch {
    return;
  }
};
const lettersAreOn = () => {
  try {
    return localStorage.keys !== "off";
  } catch {
    return true;
  }
};

const current = () => find("[data-row][data-cursor]");

const moveCursor = (by) => {
  const rows = findAll("[data-row]").filter((row) => row.offsetParent);
  const before = current();
  const row = rows[Math.max(0, Math.min(rows.length - 1, rows.indexOf(before) + by))];
  before?.removeAttribute("data-cursor");
  if (!row) return;
  row.setAttribute("data-cursor", "");
  row.scrollIntoView({ block: "nearest" });
  (find("a.row-link, h3 a", row) || row).focus?.({ preventScroll: true });
};

/* Presses the button of this letter, in the current row first, or goes to its field; false when there is none. */
const press = (key) => {
  const row = current();
  const button = (row && find(`[data-key="${CSS.escape(key)}"]`, row)) ||
    find(`main [data-key="${CSS.escape(key)}"]:not([data-row] *)`);
  if (button?.matches("textarea")) button.focus();
  else button?.click();
  return Boolean(button);
};

let goSince = 0;
const SHORTCUTS = {
  "j": () => moveCursor(1),
  "k": () => moveCursor(-1),
  "?": () => open("keys"),
  "/": () => find("[data-filter]")?.focus(),
  "n": () => find("[data-new]")?.click(),
};

const onLetter = (event) => {
  if (Date.now() - goSince < GO_WITHIN) {
    goSince = 0;
    const page = find(`[data-go="${CSS.escape(event.key)}"]`);
    if (page) event.preventDefault();
    page?.click();
    return;
  }
  if (event.key === "g") {
    goSince = Date.now();
    return;
  }
  const act = SHORTCUTS[event.key];
  const pressed = press(event.key); // a page's own letter comes before everybody's
  if (!pressed) act?.();
  if (act || pressed) event.preventDefault();
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.(TYPING);
  const chord = event.metaKey || event.ctrlKey;
  if (chord && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openPalette();
  } else if (chord && event.key === "Enter" && typing) {
    event.target.form?.requestSubmit();
  } else if (event.key === "Escape") {
    closeOverlay();
  } else if (!typing && !chord && !event.altKey && !find("dialog:modal") && lettersAreOn()) {
    onLetter(event);
  }
});

document.addEventListener("change", (event) => {
  if (event.target.id === "keys-on") remember(event.target.checked ? "on" : "off");
});

const box = find("#keys-on");
if (box) box.checked = lettersAreOn();
if (/Mac|iPhone|iPad/.test(navigator.userAgent)) root.dataset.mac = "";
else for (const key of findAll("[data-mod]")) key.textContent = key.textContent.replace("⌘", "Ctrl ");
