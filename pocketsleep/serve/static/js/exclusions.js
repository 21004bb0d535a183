// What is kept out of nights, answers, search and reports: programs, words, conversations and messages; and taking that back.

import { get, post } from "./api.js";
import { announce, button, changed, complain, day, h, many } from "./dom.js";

const KINDS = { pattern: "Words", app: "Program", conversation: "A conversation of", turn: "A message of" };

export async function exclusions() {
  const box = h("div", { class: "cards" });
  const draw = async () => box.replaceChildren(...rows(await get("exclusions"), change));
  const change = async (what) => {
    try {
      const done = await post("exclude", what);
      changed("settings");
      announce(`${many(done.turns, "message")} ${what.back ? "shown again" : "left out"}`);
      await draw();
    } catch (error) { complain(error); }
  };
  await draw();
  return box;
}

function rows({ exclusions: found, private: hidden }, change) {
  const said = hidden ? `${many(hidden, "message")} said off the record ${hidden === 1 ? "is" : "are"} left out besides.` : "";
  return [h("p", { class: "muted" }, "No night, answer, search or report reads what is left out. ", said),
    found.length ? h("ul", { class: "plain left-out", role: "list" }, found.map((one) => row(one, change))) : null, form(change)].filter(Boolean);
}

function row(one, change) {
  const name = one.kind === "conversation" || one.kind === "turn" ? day(one.title) || one.value : one.value;
  return h("li", { class: "row apart" }, h("span", {}, h("span", { class: "muted" }, `${KINDS[one.kind]} `), h("b", {}, name), h("span", { class: "muted small" }, ` · ${many(one.turns, "message")}`)),
    button("Take back", () => change({ kind: one.kind, value: one.value, back: true }), "quiet", { "aria-label": `Take back: ${KINDS[one.kind]} ${name}` }));
}

function form(change) {
  const kind = h("select", { "aria-label": "Leave out by" }, h("option", { value: "pattern" }, "Words"), h("option", { value: "app" }, "A program"));
  const value = h("input", { type: "text", required: true, "aria-label": "What to leave out", placeholder: "project falcon*" });
  kind.addEventListener("change", () => { value.placeholder = kind.value === "app" ? "chatgpt" : "project falcon*"; });
  return h("form", { class: "row", onsubmit: (event) => { event.preventDefault(); change({ kind: kind.value, value: value.value }); } }, kind, h("div", { class: "grow" }, value), h("button", { class: "button" }, "Leave out"));
}
