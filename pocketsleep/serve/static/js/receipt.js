// What an answer rests on: the weights with a note that says the same, a note that was looked up, words of theirs, or nothing that was told.

import { dayTime, h } from "./dom.js";

const NAMES = { weights: "From weights", memory: "From memory", said: "From what you said", "": "No source" };

function sentence(found) {
  const night = found.night ? `the adapter of night ${found.night.slice(1)}` : "the adapter";
  if (found.lost) return "The note behind this answer was forgotten, or is left out now.";
  if (found.source === "weights") return `Said by ${night} out of its weights. This note of yours says the same:`;
  if (found.source === "memory") return "Looked up in memory, in this note:";
  if (found.source === "said") return "Your own words, quoted: no note says them better.";
  return found.adapter ? `Nothing you told stands behind this answer: it is the model's own (wearing ${night}).`
    : "Nothing you told stands behind this answer: it is the bare model's own.";
}

// What was said, or what an answer was corrected to.
export const quotes = (cites) => cites.map((cite) => h("blockquote", { class: "quote" }, h("p", {}, cite.correction || cite.text || "(forgotten)"),
  h("footer", {}, [cite.correction ? "You corrected an answer so" : cite.role === "user" ? "You said so" : "Said", cite.said_at && dayTime(cite.said_at)].filter(Boolean).join(", "), " · ",
    h("a", { href: `#/chat/${encodeURIComponent(cite.episode)}` }, "open the conversation"))));

const note = (memory) => h("div", { class: "rests" }, h("p", { class: "note" }, memory.text),
  memory.cites.length ? quotes(memory.cites) : h("p", { class: "small muted" }, "Told outright, not said in a conversation."),
  h("p", { class: "small" }, h("a", { href: `#/memory/${encodeURIComponent(memory.id)}` }, "Open in Memory")));

// The button that stands under an answer, and the panel it opens.
export function receipt(found, id) {
  const panel = h("div", { class: "receipt arrives", id, role: "region", "aria-label": "Receipt", hidden: true },
    h("p", {}, sentence(found)), quotes(found.quoted), found.notes.map(note));
  const opener = h("button", { type: "button", class: `source ${found.source || "neither"}`, "aria-expanded": "false", "aria-controls": id,
    onclick: () => { panel.hidden = !panel.hidden; opener.setAttribute("aria-expanded", String(!panel.hidden)); } }, NAMES[found.source]);
  return [opener, panel];
}
