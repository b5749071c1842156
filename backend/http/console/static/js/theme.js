/* Light, dark or as the system. The server writes data-theme from the cookie, so nothing flashes. */
import { findAll, root } from "./dom.js";

const YEAR = 31536000;

const show = (theme) => {
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  for (const button of findAll("[data-set-theme]")) {
    button.setAttribute("aria-pressed", String(button.dataset.setTheme === theme));
  }
};

show(root.dataset.theme || "system");

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-set-theme]");
  if (!button) return;
  event.preventDefault();
  show(button.dataset.setTheme);
  document.cookie = `theme=${button.dataset.setTheme};path=/;max-age=${YEAR};samesite=lax`;
  button.closest("[popover]")?.hidePopover();
});
