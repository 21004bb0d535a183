// Which view is shown, and what stands around it.

import { get } from "./api.js";
import { complain, h, icon, many } from "./dom.js";
import * as chat from "./chat.js";
import * as keys from "./keys.js";
import * as memory from "./memory.js";
import * as nights from "./nights.js";
import * as settings from "./settings.js";
import * as theme from "./theme.js";

const VIEWS = { chat: ["Chat", chat], memory: ["Memory", memory], nights: ["Nights", nights], settings: ["Settings", settings] };
let shown = "";

const go = (view) => () => { location.hash = `#/${view}`; };
const part = (id) => document.getElementById(id);

function tabs() {
  return h("ul", { class: "plain", role: "list" }, Object.entries(VIEWS).map(([name, [label]], n) =>
    h("li", {}, h("a", { href: `#/${name}`, "data-view": name, title: `${label} (Alt + ${n + 1})` }, icon(name, 20), h("span", {}, label)))));
}

async function show() {
  const [name, ...rest] = location.hash.replace(/^#\//, "").split("/").map(decodeURIComponent);
  const wanted = VIEWS[name] ? name : "chat", changed = shown !== wanted;
  for (const tab of document.querySelectorAll("#tabs a")) {
    if (tab.dataset.view === wanted) tab.setAttribute("aria-current", "page"); else tab.removeAttribute("aria-current");
  }
  document.title = `${VIEWS[wanted][0]} · pocketsleep`;
  if (changed) { VIEWS[shown]?.[1].leave?.(); part("beside").replaceChildren(); part("view").replaceChildren(); }
  shown = wanted;
  try { await VIEWS[wanted][1].show(part("view"), part("beside"), rest.join("/")); } catch (error) { complain(error); }
  state();
}

async function state() {
  const line = part("state");
  try {
    const now = await get("state");
    line.replaceChildren(`${now.night ? `Wearing night ${now.night.slice(1)}` : "Wearing no night"} · ${many(now.memories, "memory", "memories")}`);
    line.title = now.base;
  } catch (error) { line.replaceChildren(error.message); }
}

const search = () => part(shown === "chat" ? "beside" : "view").querySelector('input[type="search"]')?.focus();

theme.start();
part("tabs").append(tabs());
addEventListener("hashchange", show);
addEventListener("pocket:changed", ({ detail }) => (detail === shown ? state() : show()));
keys.listen({ Digit1: go("chat"), Digit2: go("memory"), Digit3: go("nights"), Digit4: go("settings"), Slash: keys.help, KeyK: search,
  KeyN: () => { location.hash = "#/chat/"; chat.fresh(); }, KeyR: chat.flipRecall });
show();
