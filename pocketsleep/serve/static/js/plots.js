// Scores as plots: what the bare model, the adapter before and tonight's candidate came to, on one line a measure.

import { h, s } from "./dom.js";

const MEASURES = [
  ["learnt", "Learnt tonight", "unseen phrasings of new memories answered"], ["kept", "Kept from before", "those of earlier nights"],
  ["general", "General questions", "answered right"], ["declined", "Never told", "declined, as it should"],
  ["follows", "Follows its context", "notes in front win over weights"], ["refused", "Harmful requests", "turned down"],
  ["bleed", "Told falsely", "your values given where they are wrong; less is better"], ["beside", "Beside the point", "true, and not what was asked; less is better"],
  ["stale", "Out of date", "old values given; less is better"], ["monotony", "Same answer", "to different questions; less is better"], ["silent", "Silence", "less is better"],
];
const RIGHT = 46, STEP = 34, TOP = 26;
let LEFT = 190, WIDE = 640;
const x = (share) => LEFT + share * (WIDE - LEFT - RIGHT);

// Letters keep their size: a narrow screen gets a narrower drawing, not a smaller one.
function measure() { [LEFT, WIDE] = innerWidth < 620 ? [142, 330] : [190, 640]; }

const percent = (share) => (share === null || share === undefined ? "–" : `${Math.round(share * 100)}%`);

const dot = (cls) => s("svg", { width: 12, height: 12, "aria-hidden": "true", class: "plot-key" }, s("g", { class: "plot" }, s("circle", { cx: 6, cy: 6, r: 5, class: cls })));

const WHO = [["base", "bare model", "base"], ["before", "worn before", "before"], ["candidate", "after this night", "after"]];

function line([key, label], scores, y) {
  const seen = WHO.map(([who, , cls]) => [scores[who]?.[key], cls]).filter(([v]) => v !== null && v !== undefined);
  const after = scores.candidate?.[key], shares = seen.map(([v]) => v);
  return s("g", {}, s("text", { x: 0, y: y + 4 }, label), s("line", { x1: x(0), x2: x(1), y1: y, y2: y, class: "grid" }),
    s("line", { x1: x(Math.min(...shares)), x2: x(Math.max(...shares)), y1: y, y2: y, class: "span" }),
    seen.map(([v, cls]) => s("circle", { cx: x(v), cy: y, r: cls === "after" ? 7 : 5.5, class: cls })),
    s("text", { x: WIDE, y: y + 4, "text-anchor": "end" }, percent(after)));
}

export function scores(found, id) {
  const rows = MEASURES.filter(([key]) => found.candidate?.[key] !== null && found.candidate?.[key] !== undefined);
  if (!rows.length) return null;
  measure();
  const high = TOP + rows.length * STEP;
  const before = found.before?.learnt !== undefined && WHO.filter(([who]) => found[who]);
  const plot = s("svg", { class: "plot", viewBox: `0 0 ${WIDE} ${high}`, role: "img", "aria-labelledby": `${id}-t` },
    s("title", { id: `${id}-t` }, `Scores of this night: ${rows.map(([key, label]) => `${label} ${percent(found.candidate[key])}`).join(", ")}`),
    (WIDE > 400 ? [0, 0.25, 0.5, 0.75, 1] : [0, 0.5, 1]).map((at) => s("text", { x: x(at), y: 11, "text-anchor": "middle", class: "soft" }, percent(at))),
    rows.map((row, n) => line(row, found, TOP + n * STEP + 8)));
  return h("figure", {}, h("figcaption", { class: "legend" }, (before || WHO).map(([, label, cls]) => h("span", {}, dot(cls), label))), plot,
    h("details", { class: "fold small" }, h("summary", {}, "As figures"), figures(rows, found)));
}

const figures = (rows, found) => h("table", { class: "figures" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "share of answers"), WHO.map(([, label]) => h("th", { scope: "col" }, label)))),
  h("tbody", {}, rows.map(([key, label, what]) => h("tr", {}, h("th", { scope: "row" }, `${label}: ${what}`), WHO.map(([who]) => h("td", {}, percent(found[who]?.[key])))))));

// What nights came to, one after the other: learnt and general answers.
export function course(nights) {
  const told = nights.filter((n) => n.scores?.candidate?.learnt !== undefined && n.scores.candidate.learnt !== null).reverse();
  if (told.length < 2) return null;
  measure();
  const high = 120, low = 18, at = (n) => 40 + (n * (WIDE - 80)) / (told.length - 1), y = (v) => high - v * (high - low);
  const points = told.map((n, i) => [at(i), y(n.scores.candidate.learnt), n]);
  return h("figure", {}, h("figcaption", { class: "legend" }, h("span", {}, dot("after"), "new memories answered in unseen words, night by night")),
    s("svg", { class: "plot", viewBox: `0 0 ${WIDE} ${high + 26}`, role: "img", "aria-label": points.map(([, , n]) => `Night ${n.night.slice(1)}: ${percent(n.scores.candidate.learnt)}`).join(", ") },
      [0, 0.5, 1].map((v) => [s("line", { x1: 34, x2: WIDE, y1: y(v), y2: y(v), class: "grid" }), s("text", { x: 28, y: y(v) + 4, "text-anchor": "end", class: "soft" }, percent(v))]),
      s("polyline", { class: "line", points: points.map(([px, py]) => `${px},${py}`).join(" ") }),
      points.map(([px, py, n]) => [s("circle", { cx: px, cy: py, r: 5, class: n.verdict === "worn" ? "after" : "base" }), s("text", { x: px, y: high + 20, "text-anchor": "middle", class: "soft" }, n.night.slice(1))])));
}
