/* What waits for somebody: the number in the side bar stands in the title of the window too. */
import { find } from "./dom.js";

const name = document.title;

const show = () => {
  const count = find("#inbox-count")?.firstChild?.textContent.trim();
  document.title = count ? `(${count}) ${name}` : name;
};

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "inbox-count") show();
});
