/* Dialogs, drawers beside a list, and the side bar of small windows. */
import { find, findAll } from "./dom.js";

const narrow = matchMedia("(max-width: 1279px)");

export const open = (id, from) => {
  const dialog = document.getElementById(id);
  if (!dialog || dialog.open) return;
  const before = document.activeElement;
  dialog.returnTo = from || before;
  if (dialog.matches(".drawer") && !narrow.matches) {
    dialog.show(); // beside the list: the list keeps the keyboard
    before?.focus?.({ preventScroll: true });
    return;
  }
  dialog.showModal();
  const first = find("[autofocus]", dialog) || find(".d-body :is(input, select, textarea)", dialog) ||
    find(".d-foot .btn", dialog) || find("[data-close]", dialog);
  first?.focus();
};

export const close = (dialog) => {
  dialog.close();
  dialog.returnTo?.focus?.();
};

const toggleSide = (on) => {
  const side = find("#side");
  side.toggleAttribute("data-open", on);
  find(".body").inert = on;
  find(".burger")?.setAttribute("aria-expanded", String(on));
  (on ? find("a", side) : find(".burger"))?.focus();
};

/* Closes what covers the page without being modal; true when there was something. */
export const closeOverlay = () => {
  if (find("#side[data-open]")) {
    toggleSide(false);
    return true;
  }
  const drawer = find("dialog.drawer[open]:not(:modal)");
  if (!drawer || find("dialog:modal")) return false;
  close(drawer);
  return true;
};

const isBeside = (dialog, event) => {
  const box = dialog.getBoundingClientRect();
  return event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
};

document.addEventListener("click", (event) => {
  const target = event.target;
  const dialog = target.closest("dialog");
  if (dialog === target && dialog?.matches(":modal") && isBeside(dialog, event)) close(dialog);
  if (find("#side[data-open]") && !target.closest("#side, [data-side]")) toggleSide(false);
  const opener = target.closest("[data-open-dialog]");
  if (opener) {
    event.preventDefault();
    open(opener.dataset.openDialog, opener);
  }
  const closer = target.closest("[data-close]");
  if (closer) {
    event.preventDefault();
    close(closer.closest("dialog"));
  }
  if (target.closest("[data-side]")) toggleSide(!find("#side").hasAttribute("data-open"));
});

document.addEventListener("close", (event) => event.target.returnTo?.focus?.(), true);
matchMedia("(min-width: 640px)").addEventListener("change", () => find("#side[data-open]") && toggleSide(false));

// Below 1280 px a drawer that the server printed open covers the page, so only one that the address names is shown.
if (narrow.matches) {
  for (const drawer of findAll("dialog.drawer[open]:not(:modal)")) {
    drawer.removeAttribute("open");
    if (drawer.dataset.asked !== undefined) open(drawer.id);
  }
}
