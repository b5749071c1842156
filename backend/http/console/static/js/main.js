/* The console's behaviour, a module a subject. Everything listens on document, so what htmx swaps in works as well. No eval,
   no inline handlers, no styles but positions set through the CSSOM (which style-src 'self' allows). */
import "./theme.js";
import "./times.js";
import "./toasts.js";
import "./menus.js";
import "./dialogs.js";
import "./palette.js";
import "./keyboard.js";
import "./live.js";
import "./inbox.js";
import "./composer.js";
import "./counts.js";
import { find } from "./dom.js";

// A row of tabs that is wider than the window begins at the chosen one.
find(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
