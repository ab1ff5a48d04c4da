import { button, h } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";

/** Return a table whose headers sort it, with a filter; more than a page of rows is folded until it is asked for. */
export function table({ caption, rows: [header, ...rows], page_size }, on) {
  const told = rows.map((cells) => ({ cells, words: cells.map(words) }));
  let [by, down, whole] = [null, false, false];
  const filter = h("input", { type: "search", placeholder: "Filter", "aria-label": `Filter: ${caption}`, oninput: draw });
  const heads = header.map((cell, at) => h("th", { scope: "col" }, button(words(cell), () => sort(at), { class: "plain" })));
  const body = h("tbody");
  const more = button("", () => { whole = true; draw(); }, { class: "plain" });

  function sort(at) {
    [by, down] = [at, by === at && !down];
    heads.forEach((head, each) => (head.ariaSort = each === by ? (down ? "descending" : "ascending") : "none"));
    draw();
  }

  function draw() {
    const wanted = filter.value.trim().toLowerCase();
    const found = told.filter((row) => row.words.some((each) => each.toLowerCase().includes(wanted)));
    if (by !== null) found.sort((one, other) => (down ? -1 : 1) * one.words[by].localeCompare(other.words[by], undefined, { numeric: true }));
    const shown = whole ? found : found.slice(0, page_size);
    body.replaceChildren(...shown.map(({ cells }) => h("tr", {}, cells.map((cell, at) => show(cell, at, on)))));
    more.textContent = `All ${found.length} rows`;
    more.hidden = shown.length === found.length;
  }

  draw();
  const whole_table = h("table", {}, h("caption", {}, caption), h("thead", {}, h("tr", {}, heads)), body);
  return h("div", { class: "table" }, rows.length > page_size && filter, whole_table, more);
}

const show = (cell, at, on) =>
  h(at ? "td" : "th", { scope: at ? null : "row" }, mrkdwn(inline(cell).map(markup).join(""), on.names, on.link));

const inline = (cell) => (cell.type === "raw_text" ? [{ type: "text", text: cell.text }] : cell.elements.flatMap((line) => line.elements));

const words = (cell) => inline(cell).map((each) => each.text ?? each.user_id).join("");

const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

function markup(each) {
  if (each.type === "user") return `<@${each.user_id}>`;
  return each.type === "link" ? `<${each.url}|${escaped(each.text)}>` : escaped(each.text);
}
