/* Behaviour for Switchboard's components. Everything is delegated from document, so html that htmx swaps in just works.
   No eval, no inline handlers, no styles except positions set through the CSSOM (allowed by style-src 'self'). */
(() => {
  "use strict";
  const $ = (s, r = document) => r.querySelector(s), $$ = (s, r = document) => [...r.querySelectorAll(s)];
  const root = document.documentElement, lang = root.lang === "en" ? "en-GB" : root.lang, narrow = matchMedia("(max-width: 1279px)");
  const text = (k) => root.dataset["t" + k] || k; // words the script itself says come from <html data-t-…>
  const remember = (k, v) => { document.cookie = `${k}=${v};path=/;max-age=31536000;samesite=lax`; };

  /* theme: the server writes data-theme from the cookie, so nothing flashes */
  const theme = (v) => { v === "system" ? delete root.dataset.theme : (root.dataset.theme = v); $$("[data-set-theme]").forEach((b) => b.setAttribute("aria-pressed", b.dataset.setTheme === v)); };
  theme(root.dataset.theme || "system");

  /* time: server prints it, the script keeps "5 min ago" true; the title holds the exact local time and UTC */
  const skew = root.dataset.now ? Date.parse(root.dataset.now) - Date.now() : 0, now = () => Date.now() + (root.dataset.frozen !== undefined ? Date.parse(root.dataset.now) - Date.now() : skew);
  const rtf = new Intl.RelativeTimeFormat(lang, { numeric: "auto", style: "short" }), full = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "medium" });
  const ago = (ms) => { const s = Math.round(ms / 1000), a = Math.abs(s); return a < 45 ? rtf.format(s < 0 ? -Math.max(1, a) : Math.max(1, a), "second") : a < 2700 ? rtf.format(Math.round(s / 60), "minute") : a < 79200 ? rtf.format(Math.round(s / 3600), "hour") : rtf.format(Math.round(s / 86400), "day"); };
  const clock = (ms) => { const s = Math.max(0, Math.round(ms / 1000)); return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`; };
  const tick = () => $$("time[datetime]").forEach((t) => {
    const at = Date.parse(t.dateTime); if (isNaN(at)) return;
    if (!t.title) t.title = `${full.format(at)} · ${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
    if (t.hasAttribute("data-ago")) t.textContent = ago(Math.min(-1000, at - now())); // clocks differ a little: what has happened never lies ahead
    if (t.hasAttribute("data-left")) t.textContent = clock(at - now());
  });
  tick(); setInterval(tick, 1000 * 15); if ($("time[data-left]")) setInterval(tick, 1000);

  /* toasts: one voice, one undo, never only a toast for an error that needs work */
  const toast = ({ text: words, undo, keep = 8000 }) => {
    const box = $("#toasts"); if (!box) return;
    const el = document.createElement("div"); el.className = "toast";
    const span = document.createElement("span"); span.textContent = words; el.append(span);
    const close = () => { clearTimeout(timer); el.remove(); };
    if (undo) { const b = document.createElement("button"); b.textContent = text("Undo"); b.addEventListener("click", () => { close(); typeof undo === "function" ? undo() : window.htmx?.ajax("POST", undo, { swap: "none" }); }); el.append(b); }
    const x = document.createElement("button"); x.className = "x"; x.setAttribute("aria-label", text("Dismiss")); x.textContent = "✕"; x.addEventListener("click", close); el.append(x);
    let timer = setTimeout(close, keep);
    const hold = () => clearTimeout(timer), go = () => { timer = setTimeout(close, keep); };
    el.addEventListener("mouseenter", hold); el.addEventListener("focusin", hold); el.addEventListener("mouseleave", go); el.addEventListener("focusout", go);
    box.replaceChildren(...[...box.children].slice(-2), el);
    if (box.popover !== undefined && box.showPopover) { try { box.hidePopover(); } catch {} box.showPopover(); } // stays above dialogs
  };
  document.addEventListener("toast", (e) => toast(e.detail)); // from the server: HX-Trigger: {"toast": {"text": …, "undo": "/…"}}
  window.switchboard = { toast };
  if (root.dataset.toast) toast({ text: root.dataset.toast, undo: root.dataset.toastUndo }); // said after an act, printed with the next page

  /* menus: popover, placed under their button */
  document.addEventListener("toggle", (e) => {
    const m = e.target; if (!m.matches?.(".menu") || e.newState !== "open") return;
    const b = document.querySelector(`[popovertarget="${m.id}"]`)?.getBoundingClientRect(); if (!b) return;
    const w = m.offsetWidth, h = m.offsetHeight;
    m.style.left = `${Math.max(8, Math.min(b.left, innerWidth - w - 8))}px`;
    m.style.top = `${b.bottom + h + 8 > innerHeight && b.top > h + 8 ? b.top - h - 4 : b.bottom + 4}px`;
    $("a, button, input", m)?.focus({ preventScroll: true });
  }, true);
  const step = (list, by, from = document.activeElement) => { const i = list.indexOf(from); const n = list[(i + by + list.length) % list.length] || list[0]; n?.focus(); return n; };

  /* dialogs, drawers, side bar */
  const open = (id, from) => {
    const d = document.getElementById(id); if (!d || d.open) return;
    const here = document.activeElement; d.returnTo = from || here;
    if (d.matches(".drawer") && !narrow.matches) { d.show(); here?.focus?.({ preventScroll: true }); return; } // beside the list: the list keeps the keyboard
    d.showModal(); ($("[autofocus]", d) || $(".d-body :is(input, select, textarea)", d) || $(".d-foot .btn", d) || $("[data-close]", d))?.focus();
  };
  const shut = (d) => { d.close(); d.returnTo?.focus?.(); };
  const side = (on) => { const s = $("#side"); s.toggleAttribute("data-open", on); $(".body").inert = on; $(".burger")?.setAttribute("aria-expanded", on); (on ? $("a", s) : $(".burger"))?.focus(); };
  matchMedia("(min-width: 640px)").addEventListener("change", () => $("#side[data-open]") && side(false));
  document.addEventListener("click", (e) => {
    const t = e.target.closest("[data-open-dialog], [data-close], [data-set-theme], [data-toast], [data-copy], [data-side], [data-view-to], [data-insert]");
    const d = e.target.closest("dialog");
    if (d && e.target === d && d.matches(":modal")) { const r = d.getBoundingClientRect(); if (e.clientX < r.left || e.clientX > r.right || e.clientY < r.top || e.clientY > r.bottom) shut(d); }
    if ($("#side[data-open]") && !e.target.closest("#side, [data-side]")) side(false);
    if (!t) return;
    if (t.dataset.openDialog) { e.preventDefault(); open(t.dataset.openDialog, t); }
    if (t.hasAttribute("data-close")) { e.preventDefault(); shut(t.closest("dialog")); }
    if (t.dataset.setTheme) { e.preventDefault(); theme(t.dataset.setTheme); remember("theme", t.dataset.setTheme); t.closest("[popover]")?.hidePopover(); }
    if (t.dataset.toast) { const row = t.dataset.removes && t.closest(t.dataset.removes); if (row) row.hidden = true; toast({ text: t.dataset.toast, undo: t.dataset.undo !== undefined ? () => { if (row) row.hidden = false; } : undefined }); }
    if (t.dataset.copy) navigator.clipboard?.writeText(t.dataset.copy).then(() => toast({ text: text("Copied"), keep: 3000 }));
    if (t.hasAttribute("data-side")) side(!$("#side").hasAttribute("data-open"));
    if (t.dataset.viewTo) { e.preventDefault(); t.closest(".inbox").dataset.view = t.dataset.viewTo; }
    if (t.dataset.insert) { const a = $("#reply"); if (a) { a.setRangeText(t.dataset.insert, a.selectionStart, a.selectionEnd, "end"); a.focus(); } t.closest("[popover]")?.hidePopover(); }
  });
  document.addEventListener("close", (e) => e.target.returnTo?.focus?.(), true);
  document.addEventListener("change", (e) => { // bulk bar
    const box = e.target; if (!box.matches?.("[data-pick], [data-pick-all]")) return;
    const t = box.closest("[data-bulk]"), picks = $$("[data-pick]", t);
    if (box.hasAttribute("data-pick-all")) picks.forEach((p) => (p.checked = box.checked));
    picks.forEach((p) => p.closest("tr")?.setAttribute("aria-selected", p.checked));
    const n = picks.filter((p) => p.checked).length, bar = $(".bulk", t); if (bar) { bar.hidden = !n; $("[data-n]", bar).textContent = n; }
  });

  /* palette: the server's list, filtered here; more results may arrive by hx-get */
  const pal = $("#palette"), q = pal && $("input", pal), opts = () => $$("[role=option]", pal).filter((o) => !o.hidden);
  const choose = (o) => { $$("[aria-selected=true]", pal).forEach((x) => x.setAttribute("aria-selected", "false")); if (o) { o.setAttribute("aria-selected", "true"); q.setAttribute("aria-activedescendant", o.id); o.scrollIntoView({ block: "nearest" }); } };
  if (pal) {
    q.addEventListener("input", () => { const words = q.value.toLowerCase().trim().split(/\s+/); $$("[role=option]:not(#palette-hits *)", pal).forEach((o) => (o.hidden = !words.every((w) => o.textContent.toLowerCase().includes(w)))); choose(opts()[0]); $("[data-none]", pal).hidden = !!opts().length; });
    q.addEventListener("keydown", (e) => { const l = opts(), i = l.findIndex((o) => o.getAttribute("aria-selected") === "true"); if (e.key === "ArrowDown" || e.key === "ArrowUp") { e.preventDefault(); choose(l[(i + (e.key === "ArrowDown" ? 1 : -1) + l.length) % l.length]); } else if (e.key === "Enter" && l[i]) { e.preventDefault(); l[i].click(); } });
  }
  const palette = () => { if (!pal || pal.open) return; open("palette"); q.value = ""; q.dispatchEvent(new Event("input")); };

  /* keyboard; single letters can be switched off in the ? sheet (WCAG 2.1.4) */
  let g = 0; const letters = () => { try { return localStorage.keys !== "off"; } catch { return true; } };
  const rows = () => $$("[data-row]").filter((r) => r.offsetParent), cursor = () => $("[data-row][data-cursor]");
  const move = (by) => { const l = rows(), c = cursor(), n = l[Math.max(0, Math.min(l.length - 1, l.indexOf(c) + by))]; c?.removeAttribute("data-cursor"); if (n) { n.setAttribute("data-cursor", ""); n.scrollIntoView({ block: "nearest" }); ($("a.row-link, h3 a", n) || n).focus?.({ preventScroll: true }); } };
  document.addEventListener("keydown", (e) => {
    const typing = e.target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]"), menu = e.target.closest?.(".menu");
    if ((e.metaKey || e.ctrlKey) && e.key.toLowerCase() === "k") { e.preventDefault(); return palette(); }
    if ((e.metaKey || e.ctrlKey) && e.key === "Enter" && typing) { e.target.form?.requestSubmit(); return; }
    if (e.key === "Escape") { if ($("#side[data-open]")) return side(false); const d = $("dialog.drawer[open]:not(:modal)"); if (d && !$("dialog:modal")) shut(d); return; }
    if (menu && (e.key === "ArrowDown" || e.key === "ArrowUp")) { e.preventDefault(); step($$("a, button, input", menu), e.key === "ArrowDown" ? 1 : -1); return; }
    if (typing || e.metaKey || e.ctrlKey || e.altKey || $("dialog:modal") || !letters()) return;
    if (g && Date.now() - g < 1200) { g = 0; const to = $(`[data-go="${e.key}"]`); if (to) { e.preventDefault(); to.click(); } return; }
    const act = { j: () => move(1), k: () => move(-1), g: () => (g = Date.now()), "?": () => open("keys"), "/": () => $("[data-filter]")?.focus(), x: () => $("[data-pick]", cursor() || document)?.click(), n: () => $("[data-new]")?.click() }[e.key] || (() => { const b = $(`[data-key="${e.key}"]`, cursor() || document.createElement("i")) || $(`main [data-key="${e.key}"]:not([data-row] *)`); b?.click(); return !!b; });
    if (act() !== false && e.key !== "g") e.preventDefault();
  });
  document.addEventListener("change", (e) => { if (e.target.id === "keys-on") try { localStorage.keys = e.target.checked ? "on" : "off"; } catch {} });
  { const k = $("#keys-on"); if (k) k.checked = letters(); if (/Mac|iPhone|iPad/.test(navigator.platform)) root.dataset.mac = ""; else $$("[data-mod]").forEach((m) => (m.textContent = m.textContent.replace("⌘", "Ctrl "))); }

  /* live: each topic that changed becomes an event on body, live:<topic>, once a second at most and none is lost */
  if (window.htmx) {
    let timer; const changed = new Set();
    const tell = (topics) => { topics.forEach((topic) => changed.add(topic)); timer ||= setTimeout(() => { timer = undefined; const now = [...changed]; changed.clear(); now.forEach((topic) => window.htmx.trigger(document.body, topic)); }, 1000); };
    window.htmx.createEventSource = (url) => {
      const source = new EventSource(url, { withCredentials: true });
      source.addEventListener("message", (e) => tell((JSON.parse(e.data).changes || []).map((one) => `live:${one.topic}`)));
      source.addEventListener("reset", () => tell($$("[hx-trigger]").flatMap((el) => el.getAttribute("hx-trigger").match(/live:\w+/g) || []))); // the line was down too long: everything anew
      return source;
    };
  }
  /* say so when the line drops; what was swapped in flashes once */
  const live = (tone, words) => { const el = $("#live"); if (el) { $(".dot", el).dataset.tone = tone; $(".live-text", el).textContent = words; } };
  document.addEventListener("htmx:sseOpen", () => live("ok", text("Live"))); document.addEventListener("htmx:sseError", () => live("warn", text("Reconnecting")));
  document.addEventListener("htmx:afterSwap", tick); document.addEventListener("htmx:sseMessage", tick);
  document.addEventListener("htmx:responseError", () => toast({ text: text("Failed") }));
  /* a row of tabs that is wider than the window begins at the chosen one */
  $(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  const th = $(".pane-scroll[data-bottom]"); if (th) th.scrollTop = th.scrollHeight;
  /* below 1280 px a drawer printed open by the server becomes an overlay only when asked for */
  if (narrow.matches) $$("dialog.drawer[open]:not(:modal)").forEach((d) => { d.removeAttribute("open"); if (d.dataset.asked !== undefined) open(d.id); }); // data-asked: the address is the drawer's own
  /* the row with the cursor is the browser's: a list that is printed anew keeps it */
  if (window.Idiomorph) Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name) => name !== "data-cursor";
  const want = new URLSearchParams(location.search).get("open"); if (want) want === "palette" ? palette() : open(want);
  const view = new URLSearchParams(location.search).get("view"); if (view && $(".inbox")) $(".inbox").dataset.view = view;
})();
