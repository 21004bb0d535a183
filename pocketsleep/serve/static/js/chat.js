// The chat: one conversation, an answer under way, the box to write in.

import { get, post, stream } from "./api.js";
import { announce, button, changed, complain, confirm, h, toggle } from "./dom.js";
import { message, words } from "./message.js";
import { Talks } from "./talks.js";
import { composer } from "./composer.js";

const RECALL = "pocketsleep.recall";
let now = null; // the conversation on screen
let talks = null;
const recall = () => localStorage.getItem(RECALL) !== "off";

export function flipRecall() {
  localStorage.setItem(RECALL, recall() ? "off" : "on");
  document.querySelectorAll("input[data-recall]").forEach((box) => { box.checked = recall(); });
  announce(recall() ? "Recall on" : "Recall off");
}

export const fresh = () => { if (now) open(""); };
const open = (id) => { location.hash = id ? `#/chat/${encodeURIComponent(id)}` : "#/chat"; if (!id) start("", { turns: [] }); };

export async function show(view, beside, id) {
  if (!talks) {
    talks = new Talks(open, () => open(""));
    beside.replaceChildren(talks.box);
  }
  if (now && now.id === id && now.view === view && view.firstChild) return;
  const asked = location.hash, kept = id ? await get("conversation", { id }) : { turns: [] };
  if (location.hash === asked && talks) start(id, kept, view); // one may have walked on
}

export function leave() {
  talks = null;
  now?.stop();
  now = null;
}

function start(id, kept, view = now.view) {
  now?.stop();
  now = new Talk(id, kept, view);
  now.draw();
  talks.load(id);
}

class Talk {
  constructor(id, kept, view) {
    Object.assign(this, { name: id, view, turns: kept.turns, hidden: Boolean(kept.private), byHand: Boolean(kept.hidden), items: new Map(), ticket: "" });
    this.list = h("ol", { class: "talk", "aria-label": "Conversation" });
    this.writing = composer({ send: (text, hide) => this.send(text, hide), stop: () => this.stop(), last: () => this.editLast(), recall, flipRecall });
    this.acts = { id: () => this.name, edit: (t, text) => this.say(t.turn, text, t.private), again: (t) => this.say(t.turn, "", t.private), hide: (t) => this.hide(t),
      redraw: (t) => this.items.get(t).draw(), item: (t) => this.items.get(t).item };
  }

  get id() { return this.name; }

  get shown() { return now === this; } // an answer may end after one has walked on

  draw() {
    const title = this.turns.find((t) => t.role === "user")?.text;
    this.switch = toggle("Don't remember this conversation", this.hidden, (on) => this.hideAll(on), { disabled: this.hidden && !this.byHand && Boolean(this.name) });
    this.list.replaceChildren(...this.turns.filter((t) => t.role === "user" || t.role === "assistant").map((t) => this.item(t)));
    this.view.replaceChildren(h("div", { class: "chat" }, h("header", {}, h("h1", {}, title || "New conversation"), this.switch),
      this.turns.length ? this.list : this.hello(), this.writing.box));
    if (this.turns.length) scrollTo(0, document.body.scrollHeight);
    if (matchMedia("(hover: hover)").matches) this.writing.focus();
  }

  hello() {
    const tries = ["My dog is called ", "I live in ", "What do you know about me?"];
    const hour = new Date().getHours();
    const greeting = hour < 5 ? "Still up?" : hour < 12 ? "Good morning." : hour < 18 ? "Good afternoon." : "Good evening.";
    return h("div", { class: "hello" }, h("h2", {}, greeting),
      h("p", {}, "Talk as you would to anyone. What you say of yourself is written down here, on this machine, and learnt when it sleeps."),
      h("div", { class: "tries" }, tries.map((text) => button(`${text}${text.endsWith(" ") ? "…" : ""}`, () => this.writing.fill(text)))));
  }

  item(turn) {
    const made = message(turn, this.acts);
    this.items.set(turn, made);
    return made.item;
  }

  send(text, hide) { this.say(undefined, text, hide); }

  editLast() { [...this.list.querySelectorAll(".said.user [data-edit]")].at(-1)?.click(); }

  // Keep the turns before `keep` (all where it is undefined), say `text` after them, and hear the answer.
  async say(keep, text, hide) {
    if (this.ticket) return;
    this.ticket = crypto.randomUUID();
    const ticket = this.ticket;
    const kept = this.turns.filter((t) => keep === undefined || t.turn < keep);
    const mine = text ? { role: "user", text, private: hide || this.hidden } : kept.at(-1);
    const answer = { role: "assistant", text: "", busy: true, private: mine.private };
    this.turns = [...kept, ...(text ? [mine] : []), answer];
    if (!this.list.isConnected || keep !== undefined) this.draw();
    else this.list.append(...(text ? [this.item(mine)] : []), this.item(answer));
    this.writing.busy(true);
    this.follow();
    try {
      const heard = new Heard(() => this.paint(answer), () => this.shown);
      await stream("say", { conversation: this.name, said: kept.map((t) => t.text), text, private: Boolean(mine.private), hidden: this.hidden, recall: recall(), ticket },
        (event) => {
          if ("piece" in event) { answer.text += event.piece; heard.more(event.piece); } else if ("leaving" in event || "left" in event) this.leave(event, answer);
          else this.done(event, text && mine, answer);
        });
      heard.end();
    } catch (error) { this.failed(error, answer, text && mine); }
    answer.busy = false;
    clearInterval(this.nap);
    this.ticket = "";
    this.items.get(answer)?.draw();
    this.writing.busy(false);
    this.follow();
  }

  // The oldest messages leave what the model reads: at once, or after a nap over them.
  leave({ leaving, napping, left }, answer) {
    clearInterval(this.nap);
    const began = performance.now();
    const tell = (line) => { answer.leaving = line; this.items.get(answer)?.draw(); };
    const line = () => tell(`A nap over ${leaving} older messages: ${Math.round((performance.now() - began) / 1000)} s. Stop leaves them out.`);
    if (left) tell(`${left.messages} older messages are not read any more` + (left.napped ? `; a nap of ${left.seconds} s went over them.` : "."));
    else if (napping) { line(); if (this.shown) announce(answer.leaving); this.nap = setInterval(line, 1000); }
  }

  paint(turn) {
    if (!this.shown) return;
    const near = innerHeight + scrollY > document.body.scrollHeight - 120;
    this.items.get(turn)?.item.querySelector(".words")?.replaceChildren(...words(turn));
    if (near) this.follow();
  }

  follow() { if (this.shown) scrollTo(0, document.body.scrollHeight); }

  done(event, mine, answer) {
    const moved = event.conversation !== this.name, first = !this.name;
    if (mine) { mine.turn = event.user; this.items.get(mine)?.draw(); }
    Object.assign(answer, { turn: event.answer, receipt: event.receipt, private: event.private, stopped: event.stopped });
    this.name = event.conversation;
    if (!this.shown) { talks?.load(); return; }
    if (moved) history.replaceState(null, "", `#/chat/${encodeURIComponent(this.name)}`);
    if (first) this.view.querySelector("h1").textContent = mine.text;
    if (moved && !first && this.turns.some((t) => t.forgotten)) { start(this.name, { turns: [] }); show(this.view, null, ""); }
    talks?.load(this.name);
  }

  failed(error, answer, mine) {
    this.turns = this.turns.filter((t) => t !== answer && t !== mine);
    this.items.get(answer).item.replaceChildren(h("div", { class: "wrong", role: "alert" }, h("p", {}, error.message), error.hint && h("p", {}, error.hint)));
    this.items.delete(answer);
    if (!mine) return;
    this.items.get(mine).item.remove();
    this.writing.fill(mine.text);
  }

  stop() { if (this.ticket) post("stop", { ticket: this.ticket }).catch(complain); }

  async hideAll(on) {
    if (!this.name) { this.hidden = on; return; }
    const sure = !on || await confirm({ title: "Don't remember this conversation?", action: "Don't remember it",
      body: h("p", {}, "No night, recall or search reads it any more, notes that it alone said are hidden, and its words are not shown here either. Settings lists it, and there it can be brought back.") });
    if (!sure) { this.switch.querySelector("input").checked = false; return; }
    await this.change({ back: !on });
  }

  async hide(turn) {
    const sure = await confirm({ title: "Don't remember this message?", action: "Don't remember it",
      body: h("p", {}, "It and its answer are kept out of nights, recall and search, and are not shown here any more. Settings can bring them back.") });
    if (sure) await this.change({ turn: turn.turn });
  }

  async change(what) {
    try {
      await post("conversation/hide", { id: this.name, ...what });
      changed("chat");
    } catch (error) { complain(error); }
    const kept = await get("conversation", { id: this.name });
    if (now === this) start(this.name, kept);
  }
}

// An answer as it is heard: painted once a frame, read out sentence by sentence, while it is on screen.
class Heard {
  constructor(paint, shown) { Object.assign(this, { paint, shown, unsaid: "", due: false, live: document.getElementById("live") }); this.live.textContent = ""; }

  more(piece) {
    this.unsaid += piece;
    const end = this.unsaid.search(/[.!?:]\s[^.!?:]*$/);
    if (end >= 0) { this.read(this.unsaid.slice(0, end + 1)); this.unsaid = this.unsaid.slice(end + 1); }
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => { this.due = false; this.paint(); });
  }

  read(text) { if (this.shown()) this.live.append(h("p", {}, text)); }

  end() { if (this.unsaid.trim()) this.read(this.unsaid); }
}
