/* The palette: the server's list of pages, filtered here; more results arrive by hx-get. */
import { find, findAll } from "./dom.js";
import { open } from "./dialogs.js";

const palette = find("#palette");
const input = find("input", palette);

const shown = () => findAll("[role=option]", palette).filter((option) => !option.hidden);

const choose = (option) => {
  for (const other of findAll("[aria-selected=true]", palette)) other.setAttribute("aria-selected", "false");
  if (!option) return;
  option.setAttribute("aria-selected", "true");
  input.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
};

const filter = () => {
  const words = input.value.toLowerCase().trim().split(/\s+/);
  for (const option of findAll("[role=option]:not(#palette-hits *)", palette)) {
    const content = option.textContent.toLowerCase();
    option.hidden = !words.every((word) => content.includes(word));
  }
  choose(shown()[0]);
  find("[data-none]", palette).hidden = shown().length > 0;
};

const move = (event) => {
  const options = shown();
  const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const by = event.key === "ArrowDown" ? 1 : -1;
    choose(options[(at + by + options.length) % options.length]);
  } else if (event.key === "Enter" && options[at]) {
    event.preventDefault();
    options[at].click();
  }
};

export const openPalette = () => {
  if (!palette || palette.open) return;
  open("palette");
  input.value = "";
  filter();
};

if (palette) {
  input.addEventListener("input", filter);
  input.addEventListener("keydown", move);
}
