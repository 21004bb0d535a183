// Elements out of plain calls. Text only ever becomes text nodes: nothing that was said can become markup.

const SVG = "http://www.w3.org/2000/svg";

function put(node, props, children) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "open") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((c) => c !== undefined && c !== null && c !== false));
  return node;
}

export const h = (tag, props, ...children) => put(document.createElement(tag), props, children);
export const s = (tag, props, ...children) => put(document.createElementNS(SVG, tag), props, children);

const PATHS = {
  chat: "M4 5.5h16v11H9.5L5 20v-3.5H4z",
  memory: "M6 3.5h10.5A1.5 1.5 0 0 1 18 5v15.5l-6-3.6-6 3.6z",
  nights: "M14.6 3.6a8.6 8.6 0 1 0 6 13.5 7.2 7.2 0 0 1-6-13.5z",
  settings: "M4 7h9m5 0h2M4 17h2m5 0h9M15.5 4.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4zM8.5 14.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4z",
  plus: "M12 5v14M5 12h14",
  search: "M10.5 4.5a6 6 0 1 1 0 12 6 6 0 0 1 0-12zM15 15l5 5",
  send: "M12 19V5m-6.5 6.5L12 5l6.5 6.5",
  stop: "M7 7h10v10H7z",
  up: "M7.5 20H4.5V10.5h3m0 9.5V10.5L11.5 3.5c1.5 0 2.3 1.1 2 2.6L12.8 9.5h5.4c1.2 0 2 1.1 1.7 2.3l-1.5 6.4c-.2 1-1 1.8-2.1 1.8z",
  down: "M7.5 4H4.5v9.5h3m0-9.5v9.5l4 7c1.5 0 2.3-1.1 2-2.6l-.7-3.4h5.4c1.2 0 2-1.1 1.7-2.3l-1.5-6.4c-.2-1-1-1.8-2.1-1.8z",
  copy: "M9 9h10.5v10.5H9zM15 9V4.5H4.5V15H9",
  again: "M19.5 5v5h-5M19 10a7.5 7.5 0 1 0 .3 4",
  edit: "M4.5 19.5l1-4.5L16 4.5l3.5 3.5L9 18.5z",
  lock: "M6.5 10.5h11v9h-11zM8.5 10.5V8a3.5 3.5 0 0 1 7 0v2.5",
  bin: "M5 7h14M9.5 7V4.5h5V7M7 7l.8 12.5h8.4L17 7",
  check: "M5 12.5l4.5 4.5L19 7.5",
};

export function icon(name, size = 18) {
  return s("svg", { viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true", focusable: "false" },
    s("path", { d: PATHS[name], fill: "none", stroke: "currentColor", "stroke-width": 1.7, "stroke-linecap": "round", "stroke-linejoin": "round" }));
}

export const iconButton = (name, label, onclick, more = {}) =>
  h("button", { type: "button", class: "icon", "aria-label": label, title: label, onclick, ...more }, icon(name, 17));

export const button = (label, onclick, kind = "", more = {}) =>
  h("button", { type: "button", class: `button ${kind}`, onclick, ...more }, label);

export const toggle = (label, checked, onchange, more = {}) =>
  h("label", { class: "switch" }, h("input", { type: "checkbox", role: "switch", checked, onchange: (e) => onchange(e.target.checked), ...more }), h("span", {}, label));

// Something the pocket keeps is other than it was; `where` is the view that has seen to itself.
export const changed = (where) => dispatchEvent(new CustomEvent("pocket:changed", { detail: where }));

// Read out by screen readers, seen by nobody.
export function announce(text) {
  const live = document.getElementById("live");
  live.textContent = "";
  setTimeout(() => { live.textContent = text; }, 60);
}

export function toast(text, bad = false) {
  const note = h("div", { class: `arrives ${bad ? "bad" : ""}` }, text);
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), bad ? 9000 : 4500);
}

export const told = (error) => [error.message, error.hint].filter(Boolean).join(" — ");
export const complain = (error) => toast(told(error), true);

// A question in a dialog. Resolves to true when its main button was pressed.
export function confirm({ title, body, action, bad = false, cancel = "Cancel" }) {
  return new Promise((resolve) => {
    const id = `d${Math.random().toString(36).slice(2)}`;
    const box = h("dialog", { "aria-labelledby": id, onclose: () => { box.remove(); resolve(box.returnValue === "yes"); } },
      h("form", { method: "dialog" }, h("h2", { id }, title), h("div", { class: "body" }, body),
        h("div", { class: "row end" }, action && h("button", { class: "button", value: "no" }, cancel),
          h("button", { class: `button main ${bad ? "bad" : ""}`, value: action ? "yes" : "no" }, action || cancel))));
    document.body.append(box);
    box.showModal();
  });
}

const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
export const day = (iso) => { const at = new Date(iso); return iso && !Number.isNaN(at.valueOf()) ? DAY.format(at) : ""; };
export const dayTime = (iso) => (day(iso) ? `${day(iso)}, ${TIME.format(new Date(iso))}` : "");
export const many = (n, one, more = `${one}s`) => `${n} ${n === 1 ? one : more}`;
