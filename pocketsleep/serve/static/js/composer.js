// The box to write in: grows with what is written; Enter sends; while an answer comes, the button stops it.

import { h, icon, toggle } from "./dom.js";

export function composer({ send, stop, last, recall, flipRecall }) {
  let answering = false;
  const text = h("textarea", { rows: 1, placeholder: "Say something", "aria-label": "Your message", oninput: grow, onkeydown: key });
  const hide = h("input", { type: "checkbox", role: "switch" });
  const act = h("button", { class: "icon send", "aria-label": "Send", title: "Send (Enter)" }, icon("send", 19));
  const box = h("div", { class: "composer" }, h("form", { onsubmit: submit }, text, h("div", { class: "row" },
    toggle("Recall", recall(), flipRecall, { "data-recall": true, title: "Look notes up in memory; off, the weights answer alone" }),
    h("label", { class: "switch" }, hide, h("span", {}, "Don't remember this")), act)));

  function grow() {
    text.style.height = "auto";
    text.style.height = `${text.scrollHeight}px`;
  }

  function key(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(event); }
    if (event.key === "Escape" && answering) stop();
    if (event.key === "ArrowUp" && !text.value) { event.preventDefault(); last(); }
  }

  function submit(event) {
    event.preventDefault();
    if (answering) { if (event.type === "submit") stop(); return; }
    const said = text.value.trim();
    if (!said) return;
    text.value = "";
    grow();
    send(said, hide.checked);
    hide.checked = false;
  }

  return {
    box,
    focus: () => text.focus({ preventScroll: true }),
    fill(said) { text.value = said; text.focus(); grow(); },
    busy(on) {
      answering = on;
      act.replaceChildren(icon(on ? "stop" : "send", 19));
      act.setAttribute("aria-label", on ? "Stop" : "Send");
      act.title = on ? "Stop (Esc)" : "Send (Enter)";
    },
  };
}
