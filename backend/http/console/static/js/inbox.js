/* The inbox: a conversation opens in place, grows without moving what one reads, and Esc leads back to the list. */
import { find, findAll } from "./dom.js";

const NEAR = 60; // pixels from the end that count as being there
const inbox = () => find("#inbox");
const scroller = () => find("[data-bottom]");
const isNarrow = () => matchMedia("(max-width: 1023px)").matches;

let isAtEnd = true;
let readUpTo = "";

const toEnd = () => {
  const box = scroller();
  if (!box) return;
  box.scrollTop = box.scrollHeight;
  isAtEnd = true;
  find("#newest")?.setAttribute("hidden", "");
};

const view = (name) => {
  inbox().dataset.view = name;
};

const currentRow = () => find(".convs a[aria-current]") || find(".convs a[data-cursor]") || find(".convs a");

/* Says that what is shown was read, where somebody is there to read it. */
const markRead = () => {
  const unread = find("#thread [data-unread]");
  if (!unread || document.hidden || !isAtEnd || inbox()?.dataset.view !== "thread") return;
  if (readUpTo === unread.dataset.upTo) return;
  readUpTo = unread.dataset.upTo;
  globalThis.htmx.ajax("POST", unread.dataset.unread, {
    source: "#read-mark",
    swap: "none",
    values: { up_to: readUpTo },
  });
};

/* The message that the address names, or the newest one. */
const shown = () => {
  const named = /^#m-\d+$/.test(location.hash) && find(location.hash);
  if (named) {
    isAtEnd = false;
    named.scrollIntoView({ block: "center" });
    return;
  }
  toEnd();
  markRead();
};

const load = async (address) => {
  for (const row of findAll(".convs a[aria-current]")) row.removeAttribute("aria-current");
  find(`#conv-${new URL(address).pathname.split("/").at(-1)}`)?.setAttribute("aria-current", "true");
  await globalThis.htmx.ajax("GET", address, { source: "#conversation", target: "#conversation", swap: "innerHTML" });
  if (new URL(address).pathname !== find("#open-now")?.dataset.path) return;
  view("thread");
  shown();
  find("#conversation h2")?.focus({ preventScroll: true });
};

const toList = () => {
  view("list");
  if (isNarrow()) history.pushState({}, "", inbox().dataset.list);
  currentRow()?.focus();
};

/* One step back: out of what is written, then to the list. */
const back = (from) => {
  if (from.closest?.(".composer")) find("#conversation h2")?.focus({ preventScroll: true });
  else if (from.closest?.("[data-pane=list]") === null || isNarrow()) toList();
};

document.addEventListener("click", (event) => {
  if (!inbox() || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const row = event.target.closest(".convs a");
  if (row) {
    event.preventDefault();
    history.pushState({}, "", row.href);
    load(row.href);
    return;
  }
  const to = event.target.closest("[data-view-to]");
  if (to) {
    event.preventDefault();
    if (to.dataset.viewTo === "list") toList();
    else {
      view(to.dataset.viewTo);
      find(`[data-pane="${to.dataset.viewTo}"] h2`)?.focus({ preventScroll: true });
    }
  }
  if (event.target.closest("#newest")) {
    toEnd();
    markRead();
  }
});

addEventListener("popstate", () => {
  if (!inbox()) return;
  if (/\/inbox\/\d+$/.test(location.pathname)) load(location.href);
  else view("list");
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !inbox() || find("dialog:modal") || find(".menu:popover-open")) return;
  if (event.target.closest?.("#palette, #side")) return;
  back(event.target);
});

document.addEventListener("scroll", (event) => {
  const box = scroller();
  if (event.target !== box) return;
  isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
  if (isAtEnd) {
    find("#newest")?.setAttribute("hidden", "");
    markRead();
  }
}, true);

/* A picture that comes in late makes the thread longer. */
document.addEventListener("load", (event) => {
  if (isAtEnd && event.target.closest?.("#thread")) toEnd();
}, true);

let fromEnd = 0;
let first = "";
let last = "";
const ends = () => findAll("#thread > .bubble").map((bubble) => bubble.id);

document.addEventListener("htmx:beforeSwap", (event) => {
  const box = scroller();
  if (event.detail.target.id !== "thread" || !box) return;
  fromEnd = box.scrollHeight - box.scrollTop;
  [first, last] = [ends()[0], ends().at(-1)];
});

document.addEventListener("htmx:afterSwap", (event) => {
  const box = scroller();
  if (event.detail.target.id !== "thread" || !box) return;
  if (isAtEnd) {
    toEnd();
    markRead();
    return;
  }
  if (ends()[0] !== first) box.scrollTop = box.scrollHeight - fromEnd;
  if (ends().at(-1) !== last) find("#newest")?.removeAttribute("hidden");
});

document.addEventListener("visibilitychange", markRead);
addEventListener("focus", markRead);
// What is read is told when htmx has begun.
if (find("#thread")) {
  toEnd();
  addEventListener("load", shown);
}
