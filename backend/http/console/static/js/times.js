/* Moments: the server prints them, the script keeps "5 min ago" true. The title holds the exact local time and UTC. */
import { find, findAll, root, text } from "./dom.js";

const language = root.lang === "en" ? "en-GB" : root.lang;
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
const exact = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
const skew = root.dataset.now ? Date.parse(root.dataset.now) - Date.now() : 0;
export const now = () => Date.now() + skew;

/* From how many seconds on a unit is used, and how many seconds it has. */
const UNITS = [[79200, 86400, "day"], [2700, 3600, "hour"], [45, 60, "minute"]];

const ago = (milliseconds) => {
  const seconds = Math.round(milliseconds / 1000);
  for (const [from, size, unit] of UNITS) {
    if (Math.abs(seconds) >= from) return relative.format(Math.round(seconds / size), unit);
  }
  return relative.format(seconds < 0 ? seconds : Math.max(1, seconds), "second");
};

const left = (milliseconds) => {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const minutes = Math.floor(seconds / 60);
  if (minutes >= 60) {
    return text("Left").replace("{hours}", Math.floor(minutes / 60)).replace("{minutes}", minutes % 60);
  }
  return `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
};

export const refresh = () => {
  for (const element of findAll("time[datetime]")) {
    const at = Date.parse(element.dateTime);
    if (isNaN(at)) continue;
    if (!element.title) {
      const utc = new Date(at).toISOString().slice(0, 16).replace("T", " ");
      element.title = `${exact.format(at)} · ${utc} UTC`;
    }
    // Clocks differ a little: what has happened never lies ahead.
    if (element.hasAttribute("data-ago")) element.textContent = ago(Math.min(-1000, at - now()));
    if (element.hasAttribute("data-left")) element.textContent = left(at - now());
  }
};

refresh();
setInterval(refresh, 15000);
setInterval(() => find("time[data-left]") && refresh(), 1000);
document.addEventListener("htmx:afterSwap", refresh);
document.addEventListener("htmx:sseMessage", refresh);
