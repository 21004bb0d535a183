// Memory: what is remembered, why, in which weights; put right or taken back.

import { get, post } from "./api.js";
import { announce, button, changed, complain, confirm, day, h, icon, many, toast, toggle } from "./dom.js";
import { quotes } from "./receipt.js";

const KINDS = { fact: "Fact", relation: "Person or thing", preference: "Preference", procedure: "Standing wish" };
let list = null, words = null, all = false, timer = 0;

export async function show(view, beside, id) {
  if (!view.querySelector(".memories")) draw(view);
  await load(id);
}

function draw(view) {
  all = false;
  words = h("input", { type: "search", placeholder: "Search memories", "aria-label": "Search memories", oninput: () => { clearTimeout(timer); timer = setTimeout(() => load().catch(complain), 160); } });
  list = h("ul", { class: "memories plain", role: "list", "aria-label": "Memories" });
  view.replaceChildren(h("div", { class: "sheet" }, h("header", {}, h("div", {}, h("h1", {}, "Memory"),
    h("p", {}, "What it keeps of what you said. Every note can be traced to your words, put right, and forgotten for good.")), button([icon("plus"), "Remember something"], add)),
  h("div", { class: "row apart" }, h("div", { class: "search grow" }, icon("search", 16), words), toggle("Superseded ones too", all, (on) => { all = on; load().catch(complain); })),
  h("section", { "aria-label": "Notes" }, list)));
}

async function load(id = list.querySelector('[aria-expanded="true"]')?.dataset.id) {
  const found = await get("memories", { words: words.value.trim(), all });
  if (id && !words.value && !found.some((m) => m.id === id)) found.unshift(await get("memory", { id }));
  list.replaceChildren(...(found.length ? found.map((m) => row(m, m.id === id)) : [nothing()]));
  list.querySelector('[aria-expanded="true"]')?.scrollIntoView({ block: "center" });
}

const nothing = () => h("li", { class: "empty" }, h("h2", {}, words.value ? "Nothing has these words" : "Nothing yet"),
  h("p", {}, words.value ? "Try fewer, or look among superseded notes." : "Tell it something of yourself in the chat. The next night hears it."));

function row(memory, opened) {
  const panel = h("div", { class: "trace", hidden: true, id: `p-${memory.id}` });
  const opener = h("button", { type: "button", "aria-expanded": "false", "aria-controls": panel.id, "data-id": memory.id, onclick: () => open(panel.hidden) },
    h("span", { class: "note" }, memory.text),
    h("span", { class: "about" }, [KINDS[memory.kind], memory.told ? "told outright" : "overheard", day(memory.since)].filter(Boolean).join(" · ")),
    h("span", { class: "tags row" }, memory.status === "superseded" && h("span", { class: "tag" }, "superseded"),
      memory.status === "active" && (memory.in_weights ? h("span", { class: "tag moon" }, "in the weights") : h("span", { class: "tag" }, "in the journal"))));
  const open = async (on) => {
    if (on) try { panel.replaceChildren(...trace(await get("memory", { id: memory.id }))); } catch (error) { complain(error); return; }
    panel.hidden = !on;
    opener.setAttribute("aria-expanded", String(on));
  };
  if (opened) open(true);
  return h("li", { class: memory.status }, opener, panel);
}

function trace(memory) {
  const said = memory.cites.length ? quotes(memory.cites) : [h("p", { class: "muted" }, "Told outright, not said in a conversation.")];
  const other = (what, one) => one && [h("dt", {}, what), h("dd", {}, one.text)];
  return [
    h("div", {}, h("h2", {}, "Where it came from"), said),
    h("dl", {}, other("Replaced", memory.before), other("Replaced by", memory.after), h("dt", {}, "Weights"),
      h("dd", {}, memory.in_weights ? "worn now" : memory.adapters.length ? "in an adapter that is not worn" : "not learnt yet", memory.nights.length ? ` (${memory.nights.map((n) => `night ${n.slice(1)}`).join(", ")})` : "")),
    memory.dreams.length ? h("details", { class: "fold" }, h("summary", {}, `Studied in ${many(memory.dreamt, "question")}`),
      h("ul", { class: "asked" }, memory.dreams.map((d) => h("li", {}, d.question, " ", h("span", {}, d.answer))))) : null,
    h("div", { class: "row" }, memory.status === "active" && button([icon("edit", 16), "Edit"], () => edit(memory)), button([icon("bin", 16), "Forget"], () => forget(memory), "bad")),
  ].filter(Boolean);
}

const field = (label, box) => h("label", { class: "field" }, h("span", {}, label), box);

async function add() {
  const box = h("textarea", { rows: 2, placeholder: "My dog is called Biscuit." });
  if (await confirm({ title: "Remember something", action: "Remember", body: [field("In a sentence of yours", box)] })) keep(box.value, "");
}

async function edit(memory) {
  const box = h("textarea", { rows: 2, value: memory.text });
  const sure = await confirm({ title: "Edit this note", action: "Keep", body: [field("The note", box),
    h("p", { class: "small muted" }, "The old wording is kept as superseded. Recall has the new one at once, the weights after the next night.")] });
  if (sure) keep(box.value, memory.id);
}

async function keep(text, instead) {
  if (!text.trim()) return;
  try {
    const kept = await post("memory/keep", { text, instead });
    announce(`Kept: ${kept.text}`);
    changed("memory");
    await load(kept.id);
  } catch (error) { complain(error); }
}

async function forget(memory) {
  const { turns, worn } = memory.takes;
  const body = [h("p", { class: "serif" }, memory.text), h("h3", {}, "What goes with it"), turns.length
    ? [h("p", { class: "muted" }, `${many(turns.length, "message")} that said it, deleted from the journal:`), turns.map((t) => h("blockquote", { class: "quote" }, h("p", {}, t.correction || t.text), t.correction && h("footer", {}, `your correction of “${t.text}”`)))]
    : h("p", { class: "muted" }, "No message: it was told outright."),
  h("p", { class: "muted" }, worn ? "The adapter worn now learnt it. It is deleted at once; what was worn before it, or the bare model, answers until the next night rebuilds one without." : "No adapter that is worn has learnt it."),
  h("p", { class: "muted" }, "Forgotten stays forgotten: said again in the same words, it is not kept.")];
  if (!await confirm({ title: "Forget this for good?", body, action: "Forget it", bad: true })) return;
  try {
    const gone = await post("memory/forget", { id: memory.id });
    toast(`Forgotten, with ${many(gone.turns, "message")}.${gone.taken_off ? " The adapter that held it is deleted: sleep to rebuild." : ""}`);
    changed("memory");
    history.replaceState(null, "", "#/memory");
    await load("");
    words.focus();
    if (gone.still_said_in.length) await elsewhere(gone.still_said_in);
  } catch (error) { complain(error); }
}

// The same words may stand in other conversations and notes: those are the person's to decide on.
async function elsewhere(places) {
  const titles = Object.fromEntries((await get("conversations")).map((c) => [c.id, c.title]));
  const link = (id) => (id.startsWith("b2-") ? h("a", { href: `#/memory/${id}` }, "another note") : h("a", { href: `#/chat/${encodeURIComponent(id)}` }, titles[id] || id));
  const box = h("ul", { onclick: (e) => e.target.closest("a") && e.target.closest("dialog").close() }, places.map((id) => h("li", {}, link(id))));
  await confirm({ title: "The same is still said elsewhere", cancel: "Close", body: [h("p", { class: "muted" }, "These are not touched. Open them, and forget them as well if you want to:"), box] });
}
