// Markdown as models write it, made into elements. What it does not know stays text; HTML is text; links open only to http(s) and mail.

import { h, iconButton, announce } from "./dom.js";

export function inline(text) {
  const nodes = [];
  let plain = "", at = 0;
  while (at < text.length) {
    if (text[at] === "\\" && /[\\`*_~[\]()#>-]/.test(text[at + 1] || "")) { plain += text[at + 1]; at += 2; continue; }
    const found = /[`*~[h]/.test(text[at]) && match(text.slice(at));
    if (!found) { plain += text[at]; at += 1; continue; }
    if (plain) nodes.push(plain);
    plain = "";
    nodes.push(found.node);
    at += found.length;
  }
  if (plain) nodes.push(plain);
  return nodes;
}

function match(rest) {
  for (const [pattern, make] of INLINE) {
    const m = pattern.exec(rest);
    const made = m && make(m, rest);
    if (made) return made.node ? made : { node: made, length: m[0].length };
  }
  return null;
}

function code(m, rest) {
  const end = rest.indexOf(m[0], m[0].length);
  if (end < 0) return null;
  return { node: h("code", {}, rest.slice(m[0].length, end).replace(/^ (.*\S.*) $/, "$1")), length: end + m[0].length };
}

const anchor = (href, children) => h("a", { href, rel: "noreferrer noopener", target: "_blank" }, children);
const link = (m) => (/^(https?:|mailto:)/i.test(m[2]) ? anchor(m[2], inline(m[1])) : null);

const INLINE = [
  [/^`+/, code], [/^\*\*(?=\S)([\s\S]*?\S)\*\*/, (m) => h("strong", {}, inline(m[1]))],
  [/^\*(?=\S)([^*]*?\S)\*/, (m) => h("em", {}, inline(m[1]))], [/^~~(?=\S)([\s\S]*?\S)~~/, (m) => h("del", {}, inline(m[1]))],
  [/^\[([^\]]+)\]\(([^()\s]+)\)/, link], [/^https?:\/\/[^\s<>"')\]]+[^\s<>"')\].,:;!?]/, (m) => anchor(m[0], [m[0]])],
];

// Blocks: each reads lines from `at` on and answers [node, next line], or null where it does not apply. The order is at the end.
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;

export function markdown(text) {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  const nodes = [];
  for (let at = 0; at < lines.length;) {
    if (!lines[at].trim()) { at += 1; continue; }
    for (const block of BLOCKS) {
      const made = block(lines, at);
      if (made) { nodes.push(made[0]); at = made[1]; break; }
    }
  }
  return nodes;
}

function fence(lines, at) {
  const open = FENCE.exec(lines[at]);
  if (!open) return null;
  let end = at + 1;
  while (end < lines.length && !lines[end].trim().startsWith(open[1])) end += 1;
  return [codeBlock(lines.slice(at + 1, end).join("\n"), open[2]), end + 1];
}

export function codeBlock(text, language = "") {
  const copy = iconButton("copy", "Copy code", async () => {
    await navigator.clipboard.writeText(text);
    announce("Code copied");
  });
  return h("div", { class: "block" }, h("div", {}, h("span", {}, language || "code"), copy),
    h("pre", { tabindex: 0, role: "region", "aria-label": `${language || "Code"} block` }, h("code", {}, text)));
}

function heading(lines, at) {
  const m = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/.exec(lines[at]);
  return m && [h(`h${Math.min(5, m[1].length + 2)}`, {}, inline(m[2])), at + 1];
}

const rule = (lines, at) => (/^ {0,3}([-*_])( *\1){2,} *$/.test(lines[at]) ? [h("hr"), at + 1] : null);

function quote(lines, at) {
  let end = at;
  while (end < lines.length && /^ {0,3}>/.test(lines[end])) end += 1;
  return end > at ? [h("blockquote", {}, markdown(lines.slice(at, end).map((l) => l.replace(/^ {0,3}> ?/, "")).join("\n"))), end] : null;
}

function list(lines, at) {
  const first = ITEM.exec(lines[at]);
  if (!first) return null;
  const ordered = /\d/.test(first[2]), indent = first[1].length, items = [];
  let end = at;
  for (; end < lines.length; end += 1) {
    const m = ITEM.exec(lines[end]);
    if (m && m[1].length <= indent + 1 && /\d/.test(m[2]) === ordered) items.push([m[3]]);
    else if (/^\s{2,}\S/.test(lines[end]) || (!lines[end].trim() && /^\s{2,}\S/.test(lines[end + 1] || ""))) items.at(-1).push(lines[end].slice(indent + 2));
    else if (!lines[end].trim() && ITEM.test(lines[end + 1] || "")) continue;
    else break;
  }
  const start = ordered ? parseInt(first[2], 10) : undefined;
  return [h(ordered ? "ol" : "ul", { start: start > 1 ? start : undefined }, items.map(item)), end];
}

const item = (parts) => h("li", {}, parts.length > 1 ? [inline(parts[0]), markdown(parts.slice(1).join("\n"))] : inline(parts[0]));

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((c) => inline(c.trim()));

function table(lines, at) {
  if (!lines[at].includes("|") || !/^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)+\|?\s*$/.test(lines[at + 1] || "")) return null;
  let end = at + 2;
  while (end < lines.length && lines[end].includes("|")) end += 1;
  return [h("table", {}, h("thead", {}, h("tr", {}, cells(lines[at]).map((c) => h("th", { scope: "col" }, c)))),
    h("tbody", {}, lines.slice(at + 2, end).map((l) => h("tr", {}, cells(l).map((c) => h("td", {}, c)))))), end];
}

function paragraph(lines, at) {
  let end = at + 1;
  while (end < lines.length && lines[end].trim() && !FENCE.test(lines[end]) && !ITEM.test(lines[end]) && !/^ {0,3}(#{1,6}\s|>)/.test(lines[end])) end += 1;
  const broken = lines.slice(at, end).map((l, i, all) => [inline(l.trim()), i < all.length - 1 ? (/( {2}|\\)$/.test(l) ? h("br") : " ") : []]);
  return [h("p", {}, broken), end];
}

const BLOCKS = [fence, heading, rule, quote, list, table, paragraph];
