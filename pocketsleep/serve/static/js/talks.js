// The list of conversations beside the chat: the last ones by day, or those that have certain words.

import { get, post } from "./api.js";
import { button, changed, complain, confirm, day, h, icon, iconButton, many, toast } from "./dom.js";

export class Talks {
  constructor(open, gone) {
    this.open = open;
    this.gone = gone;
    this.current = "";
    this.list = h("ul", { role: "list" });
    this.words = h("input", { type: "search", placeholder: "Search conversations", "aria-label": "Search conversations", oninput: () => this.soon() });
    this.opener = button("Conversations", () => this.fold(!this.box.classList.contains("open")), "quiet opener", { "aria-expanded": "false" });
    this.box = h("section", { class: "talks", "aria-label": "Conversations" },
      h("div", { class: "row" }, button([icon("plus"), "New conversation"], () => this.open(""), "new"), this.opener),
      h("div", { class: "search" }, icon("search", 16), this.words), this.list);
  }

  // On a narrow screen the list is folded away.
  fold(open) {
    this.box.classList.toggle("open", open);
    this.opener.setAttribute("aria-expanded", String(open));
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), 160);
  }

  async load(current = this.current) {
    if (current !== this.current) this.fold(false);
    this.current = current;
    try {
      const found = await get("conversations", { words: this.words.value.trim() });
      this.list.replaceChildren(...this.rows(found));
    } catch (error) { complain(error); }
  }

  rows(found) {
    if (!found.length) return [h("li", { class: "none" }, this.words.value ? "Nothing has these words." : "Nothing was said yet.")];
    let last = "";
    return found.flatMap((talk) => {
      const when = nearby(talk.started_at);
      const head = when !== last ? [h("li", { class: "day" }, when)] : [];
      last = when;
      return [...head, this.row(talk)];
    });
  }

  row(talk) {
    const title = talk.title || (talk.private ? "Not remembered" : "Forgotten");
    return h("li", {}, h("a", { href: `#/chat/${encodeURIComponent(talk.id)}`, title: talk.hit || title, "aria-current": talk.id === this.current ? "page" : undefined },
      talk.private && h("span", { class: "lock" }, icon("lock", 13)), title, talk.private && h("span", { class: "unseen" }, " (not remembered)")),
    iconButton("bin", `Forget the conversation “${title}”`, () => this.forget(talk, title)));
  }

  async forget(talk, title) {
    const sure = await confirm({ title: "Forget this conversation?", bad: true, action: "Forget it", body: [h("p", {}, `“${title}”`),
      h("p", { class: "muted" }, "Its words are deleted from the journal, and with them what was learnt from it alone. An adapter that learnt it is deleted too; the next night rebuilds one without. This cannot be undone.")] });
    if (!sure) return;
    try {
      const gone = await post("conversation/forget", { id: talk.id });
      toast(`Forgotten: ${many(gone.turns, "turn")}, ${many(gone.memories.length, "memory", "memories")}.`);
      changed("chat");
      if (talk.id === this.current) this.gone(); else this.load();
    } catch (error) { complain(error); }
  }
}

function nearby(iso) {
  const at = new Date(iso), now = new Date();
  if (!iso || Number.isNaN(at.valueOf())) return "Some day";
  const days = Math.round((now.setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 864e5);
  return days <= 0 ? "Today" : days === 1 ? "Yesterday" : days < 7 ? "This week" : day(iso);
}
