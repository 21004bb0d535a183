// Settings: what talks, what is left out, how it looks, where everything lies.

import { get } from "./api.js";
import { h } from "./dom.js";
import { exclusions } from "./exclusions.js";
import * as keys from "./keys.js";
import * as theme from "./theme.js";

export async function show(view) {
  const now = await get("settings");
  view.replaceChildren(h("div", { class: "sheet" }, h("header", {}, h("div", {}, h("h1", {}, "Settings"), h("p", {}, `pocketsleep ${now.version}. Everything here stays on this machine.`))),
    part("Appearance", looks()), part("The model", base(now)), part("Left out", await exclusions()), part("When it sleeps", h("p", {}, "When you say so: Sleep now, in Nights, or ", h("code", {}, "pocketsleep sleep --tonight"), ".")),
    part("Where things live", places(now)), part("Keys", keys.table())));
}

const part = (title, ...inside) => h("section", {}, h("h2", {}, title), inside);

function looks() {
  return h("fieldset", { class: "choices" }, h("legend", { class: "unseen" }, "Colours"), theme.CHOICES.map(([name, label]) =>
    h("label", {}, h("input", { type: "radio", name: "theme", value: name, checked: theme.chosen() === name, onchange: () => theme.choose(name) }), h("span", {}, label))));
}

function base({ base: b, journal: j }) {
  const size = b.parameters ? `${Math.round(b.parameters / 1e6)} million parameters` : "";
  return h("dl", { class: "facts" }, h("dt", {}, "Base"), h("dd", {}, b.title, h("div", { class: "muted" }, [b.name, size, b.licence].filter(Boolean).join(" · "))),
    h("dt", {}, "Another base"), h("dd", {}, h("code", {}, "pocketsleep serve --base NAME"), h("div", { class: "muted" }, "Adapters belong to the base they were trained on; a night rebuilds them for another.")),
    h("dt", {}, "Journal"), h("dd", {}, `SQLite ${j.sqlite}, ${j.mode}`, h("div", { class: "muted" }, j.reason)));
}

const sized = (bytes) => (bytes > 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : bytes > 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : bytes > 1e3 ? `${(bytes / 1e3).toFixed(0)} kB` : `${bytes} bytes`);

const places = (now) => h("dl", { class: "facts" }, now.places.map((p) => [h("dt", {}, p.what), h("dd", {}, h("code", {}, p.path), h("div", { class: "muted" }, sized(p.bytes)))]));
