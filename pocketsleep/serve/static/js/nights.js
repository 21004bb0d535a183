// Nights: one begun and watched; what the earlier ones came to, and which of them is worn.

import { get, post } from "./api.js";
import { button, changed, complain, confirm, dayTime, h, many, s, toast } from "./dom.js";
import { course, scores } from "./plots.js";

const STAGES = ["gather", "extract", "dream", "seed", "examine", "settle"];
const WHAT = { gather: "Gathering what was said", extract: "Listening for what lasts", dream: "Asking questions of each memory", seed: "Learning", examine: "Sitting the exam", settle: "Waking" };
const VERDICT = { worn: ["good", "passed"], refused: ["bad", "refused"], nothing: ["", "nothing learnt"], unfinished: ["moon", "unfinished"] };
const ENDED = { worn: "It passed its exam and is worn now.", refused: "It was refused by its exam: nothing has changed.", nothing: "There was nothing to learn: nothing has changed.", cancelled: "Cancelled. What was done is kept for the next night." };
let box = null, history = null, timer = 0, last = "";

export async function show(view, beside, id) {
  if (!view.querySelector(".tonight")) {
    box = h("section", { class: "tonight", "aria-label": "Tonight" });
    history = h("div");
    last = "";
    view.replaceChildren(h("div", { class: "sheet" }, h("header", {}, h("div", {}, h("h1", {}, "Nights"),
      h("p", {}, "Asleep, it turns what you said into a small adapter, examines it, and wears it only if it learnt something and broke nothing."))), box, history));
  }
  await watch(id);
}

export const leave = () => clearTimeout(timer);

async function load(id) {
  const found = await get("nights");
  const open = new Set([id, ...[...history.querySelectorAll(".night > details[open]")].map((fold) => fold.dataset.night)]);
  history.replaceChildren(...past(found, open));
  return found;
}

// The night under way, asked for once a second.
async function watch(id) {
  clearTimeout(timer);
  const now = await get("sleep");
  if (now.running) { running(now); timer = setTimeout(() => watch().catch(complain), 1000); last = "running"; return; }
  if (last === "running") { changed("nights"); }
  await idle(await load(id), now);
  last = "idle";
}

async function idle(found, now) {
  const depth = h("select", { id: "depth" }, [["nap", "Nap: sooner"], ["night", "Night"], ["deep", "Deep: more wordings"]].map(([value, label]) => h("option", { value }, label)));
  depth.value = "night";
  const begin = async () => {
    try { await post("sleep/begin", { depth: depth.value }); await watch(); box.querySelector("button")?.focus(); } catch (error) { complain(error); }
  };
  const failed = now.outcome === "failed" && [h("p", { role: "alert" }, `The night failed: ${now.error}`), now.hint && h("p", {}, now.hint)];
  const open = found.nights.find((n) => n.verdict === "unfinished");
  const waits = found.unslept ? `${many(found.unslept, "message")} of yours ${found.unslept === 1 ? "waits" : "wait"} for the next night.` : "Everything you said has slept.";
  box.replaceChildren(h("h2", {}, now.outcome && last === "running" ? "Good morning" : "Tonight"), h("div", { role: "status" },
    failed || (now.outcome && ENDED[now.outcome] && last !== "") ? failed || h("p", {}, ENDED[now.outcome]) : h("p", {}, waits)),
  ...(open && now.outcome !== "failed" ? [h("p", {}, `Night ${open.night.slice(1)} was cut short, or runs in another window. Sleeping goes on with it.`)] : []),
  h("div", { class: "row" }, button("Sleep now", begin, "main"), h("label", { for: "depth" }, "as a", depth)));
}

function running(now) {
  const at = STAGES.indexOf(now.stage), share = now.total ? Math.min(1, now.done / now.total) : 0;
  if (last !== "running" || !box.querySelector(".stages")) {
    box.replaceChildren(h("h2", {}, "Asleep"), h("p", { role: "status" }), h("ol", { class: "stages" }, STAGES.map((name) => h("li", {}, name))),
      h("div", { class: "bar", role: "progressbar", "aria-label": "This stage", "aria-valuemin": 0, "aria-valuemax": 100 }, s("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect", { height: 6, width: 0 }))),
      h("div", { class: "row apart" }, h("p", { class: "small detail" }), button("Cancel", () => post("sleep/cancel").catch(complain), "quiet")));
  }
  const doing = WHAT[now.stage] || "Falling asleep", status = box.querySelector('[role="status"]');
  if (status.textContent !== `${doing}.`) status.textContent = `${doing}.`;
  box.querySelectorAll(".stages li").forEach((li, n) => {
    li.className = n < at ? "done" : n === at ? "now" : "";
    if (n === at) li.setAttribute("aria-current", "step"); else li.removeAttribute("aria-current");
  });
  box.querySelector(".bar").setAttribute("aria-valuenow", String(Math.round(share * 100)));
  box.querySelector("rect").setAttribute("width", String(share * 100));
  const seconds = Math.max(0, Math.round(Date.now() / 1000 - now.began));
  box.querySelector(".detail").textContent = [now.total ? `${now.done} of ${now.total}` : "", now.detail, `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} asleep`].filter(Boolean).join(" · ");
}

function past(found, open) {
  if (!found.nights.length) return [h("div", { class: "empty" }, h("h2", {}, "No night yet"), h("p", {}, "Talk first, then let it sleep. Each night will stand here with what it learnt and why."))];
  const plot = course(found.nights);
  const act = (path, value, told) => async () => {
    try {
      const now = await post(path, value);
      toast(now.worn ? told : "The bare model is worn now.");
      changed("nights");
      await load();
    } catch (error) { complain(error); }
  };
  return [plot && h("section", {}, h("h2", {}, "Night by night"), plot), h("section", {}, h("div", { class: "row apart" }, h("h2", {}, "Past nights"), found.worn && h("div", { class: "row" },
    button("Undo", act("undo", {}, "What was worn before is worn again."), "", { title: "Wear what was worn before the last night" }),
    button("Wear none", act("use", { name: "none" }, ""), "quiet"))),
  h("ol", { class: "cards plain", role: "list" }, found.nights.map((n) => night(n, act, open.has(n.night)))))].filter(Boolean);
}

function night(n, act, opened) {
  const [kind, label] = VERDICT[n.verdict], number = n.night.slice(1);
  const more = h("div", { class: "more" });
  const fold = h("details", { class: "fold", "data-night": n.night, ontoggle: async () => {
    if (fold.open && !more.firstChild) try { more.replaceChildren(...detail(await get("night", { id: n.night }))); } catch (error) { complain(error); }
  } }, h("summary", {}, "What it learnt, and why"), more);
  if (opened) fold.open = true;
  const came = [`${many(n.learnt, "new memory", "new memories")}`, `${n.dropped} dropped`, n.waiting && `${n.waiting} wait for the next`].filter(Boolean).join(" · ");
  return h("li", { class: "card night" }, h("header", {}, h("div", { class: "row" }, h("h3", {}, `Night ${number}`), n.worn ? h("span", { class: "tag moon" }, "worn now") : h("span", { class: `tag ${kind}` }, label)),
    n.wearable && !n.worn && button("Wear this", act("use", { name: n.night }, `Night ${number} is worn now.`), "", { "aria-label": `Wear night ${number}` })),
  h("p", {}, [dayTime(n.started_at), n.verdict === "unfinished" ? "" : came].filter(Boolean).join(" · ")), n.failed.length ? h("p", {}, `Did not hold: ${n.failed.join(", ")}.`) : null, fold);
}

function detail(n) {
  const part = (title, ...inside) => h("div", {}, h("h4", {}, title), inside);
  const plot = scores(n.scores, n.night);
  const steps = Object.entries(n.stages).map(([name, at]) => [h("dt", {}, name), h("dd", {}, dayTime(at))]);
  return [
    n.learnt.length ? part("Learnt", h("ul", { class: "learnt" }, n.learnt.map((text) => h("li", {}, text)))) : part("Learnt", h("p", { class: "muted" }, "Nothing new.")),
    n.reasons.length && part(n.verdict === "nothing" ? "Why" : "What its exam says", h("ul", { class: "reasons" }, n.reasons.map((r) => h("li", {}, r)))),
    plot && part("Scores, before and after", plot),
    n.dropped.length && part("Dropped", h("ul", { class: "dropped" }, n.dropped.map((d) => h("li", {}, d.text || "(private)", h("span", {}, d.reason))))),
    h("details", { class: "fold small" }, h("summary", {}, "How it was made"), h("dl", { class: "facts small" }, h("dt", {}, "base"), h("dd", {}, n.base), n.lessons && [h("dt", {}, "lessons"), h("dd", {}, String(n.lessons))],
      n.adapter && [h("dt", {}, "adapter"), h("dd", {}, h("code", {}, n.adapter))], steps, (n.recipe?.reasons || []).map(([name, why]) => [h("dt", {}, name), h("dd", {}, why)]))),
  ].filter(Boolean);
}
