// One message: the person's, or an answer with its receipt and what was thought of it.

import { post } from "./api.js";
import { announce, button, complain, h, icon, iconButton } from "./dom.js";
import { markdown } from "./markdown.js";
import { receipt } from "./receipt.js";

const dots = () => h("span", { class: "waiting", role: "img", "aria-label": "Thinking" }, h("i"), h("i"), h("i"));

export function words(turn) {
  if (turn.forgotten) return ["Forgotten."];
  if (turn.private && !turn.text && !turn.busy) return ["Not remembered: these words are shown to no one."];
  if (turn.role === "user") return [turn.text];
  return turn.text ? markdown(turn.text) : turn.busy ? [dots()] : ["(stopped)"];
}

const gone = (turn) => turn.forgotten || (turn.private && !turn.text && !turn.busy);

// `talk` has what can be done: edit(turn, text), again(turn), hide(turn), conversation id.
export function message(turn, talk) {
  const item = h("li", { class: `said ${turn.role} ${turn.private ? "private" : ""} ${gone(turn) ? "gone" : ""}` });
  const draw = () => item.replaceChildren(...[h("span", { class: "unseen" }, turn.role === "user" ? "You: " : "pocketsleep: "),
    turn.leaving && h("p", { class: "leaving" }, turn.leaving), h("div", { class: "words" }, words(turn)), ...(gone(turn) || turn.busy ? [] : turn.role === "user" ? mine(turn, talk, item, draw) : theirs(turn, talk, item))].filter(Boolean));
  draw();
  return { item, draw };
}

const mark = (turn) => turn.private && h("span", { class: "mark" }, icon("lock", 14), "not remembered");

function mine(turn, talk, item, draw) {
  const tools = [iconButton("edit", "Edit this message", () => edit(turn, talk, item, draw), { "data-edit": true })];
  if (!turn.private && turn.turn !== undefined) tools.push(iconButton("lock", "Don't remember this message", () => talk.hide(turn)));
  return [h("div", { class: "tools" }, mark(turn), tools)];
}

function edit(turn, talk, item, draw) {
  const box = h("textarea", { "aria-label": "Your message", value: turn.text, rows: 3 });
  const form = h("form", { class: "correct", onsubmit: (e) => { e.preventDefault(); talk.edit(turn, box.value); } }, box,
    h("div", { class: "row end" }, button("Cancel", () => { draw(); item.querySelector("[data-edit]")?.focus(); }), h("button", { class: "button main" }, "Send again")));
  box.addEventListener("keydown", (e) => { if (e.key === "Escape") { e.stopPropagation(); draw(); } });
  item.replaceChildren(form);
  box.focus();
}

function theirs(turn, talk, item) {
  const thought = turn.feedback || {};
  const [opener, panel] = turn.receipt ? receipt(turn.receipt, `r${turn.turn}`) : [];
  const rate = (rating) => async () => {
    try {
      const given = thought.rating === rating ? "" : rating;  // pressed again, it is taken back
      await post("feedback", { conversation: talk.id(), turn: turn.turn, rating: given });
      turn.feedback = { ...thought, rating: given };
      talk.redraw(turn);
      if (given === "down") correct(turn, talk);
      announce({ up: "Marked as good", down: "Marked as wrong", "": "Mark taken back" }[given]);
    } catch (error) { complain(error); }
  };
  const thumb = (name, label, rating) => iconButton(name, label, rate(rating), { "aria-pressed": String(thought.rating === rating) });
  const tools = h("div", { class: "tools" }, opener, mark(turn),
    iconButton("copy", "Copy answer", async () => { await navigator.clipboard.writeText(turn.text); announce("Answer copied"); }),
    iconButton("again", "Another answer", () => talk.again(turn)), thumb("up", "Good answer", "up"), thumb("down", "Wrong answer: correct it", "down"));
  return [tools, panel, thought.correction && h("p", { class: "corrected" }, "You corrected this: ", h("b", {}, thought.correction))].filter(Boolean);
}

function correct(turn, talk) {
  const item = talk.item(turn);
  const id = `c${turn.turn}`;
  const box = h("textarea", { id, rows: 2, value: turn.feedback.correction || "", placeholder: "The right answer, or how to answer from now on" });
  const close = () => { form.remove(); item.querySelector('[aria-pressed="true"]')?.focus(); };
  const save = async (event) => {
    event.preventDefault();
    if (!box.value.trim()) { close(); return; }
    try {
      await post("feedback", { conversation: talk.id(), turn: turn.turn, rating: "down", correction: box.value });
      turn.feedback = { rating: "down", correction: box.value.trim() };
      talk.redraw(turn);
      announce("Correction kept. The next night hears it.");
    } catch (error) { complain(error); }
  };
  const form = h("form", { class: "correct arrives", onsubmit: save }, h("label", { class: "name", for: id }, "What should it have said?"), box,
    h("div", { class: "row end" }, button("Skip", close), h("button", { class: "button main" }, "Keep correction")));
  box.addEventListener("keydown", (e) => {
    if (e.key === "Escape") { e.stopPropagation(); close(); }
    if (e.key === "Enter" && !e.shiftKey) { e.preventDefault(); form.requestSubmit(); }
  });
  item.append(form);
  box.focus();
}
