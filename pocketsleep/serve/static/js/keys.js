// The keys that reach everywhere. All but those of the message box need Alt: single letters would take them from screen readers.

import { confirm, h } from "./dom.js";

const KEYS = [
  ["Alt + 1 … 4", "Chat, Memory, Nights, Settings"], ["Alt + N", "A new conversation"], ["Alt + K", "Search in this view"],
  ["Alt + R", "Recall on or off"], ["Alt + /", "These keys"], ["Enter", "Send; Shift + Enter begins a new line"],
  ["Esc", "Stop the answer"], ["↑", "Edit your last message, from an empty box"],
];

export const table = () => h("table", { class: "keys" }, h("tbody", {},
  KEYS.map(([key, what]) => h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, key)), h("td", {}, what)))));

export const help = () => confirm({ title: "Keys", cancel: "Close", body: table() });

// `todo` by event.code; answers whether the key was one of them.
export function listen(todo) {
  addEventListener("keydown", (event) => {
    if (!event.altKey || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
    const act = todo[event.code];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
