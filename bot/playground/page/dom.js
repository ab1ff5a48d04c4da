/** Make an element from attributes, listeners (`onclick`) and children; whatever is text stays text. */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...flat(children));
  return node;
}

const flat = (children) => children.flat(4).filter((child) => child || child === 0);

export const byId = (id) => document.getElementById(id);

export const button = (words, onclick, more) => h("button", { type: "button", onclick, ...more }, words);

/** Do something for a button, which is deaf meanwhile; a disabled one would lose the focus. */
export async function once(pressed, work) {
  if (pressed.ariaDisabled === "true") return;
  pressed.ariaDisabled = "true";
  await work();
  pressed.ariaDisabled = "false";
}

export const soft = (...words) => h("p", { class: "soft" }, words);

const nameOf = (control) => control.getAttribute("href") ?? control.getAttribute("aria-label") ?? control.textContent;

/** Fill a node with what `make` returns, if it is to show something else than before; the focus stays where it was. */
export function show(node, told, make) {
  const json = JSON.stringify(told);
  if (node.told === json) return;
  node.told = json;
  const focused = document.activeElement;
  const held = node !== focused && node.contains(focused) ? nameOf(focused) : null;
  node.replaceChildren(...flat([make()]));
  if (held === null) return;
  const controls = [...node.querySelectorAll("a,button,select")];
  (controls.find((each) => nameOf(each) === held) ?? controls[0])?.focus();
}

/** Let a form send what is in its box, also by Enter; what could not be sent comes back. */
export function sends(form, box, send) {
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = box.value;
    if (!text.trim()) return;
    box.value = "";
    box.dispatchEvent(new Event("input")); // nothing is offered for it any more
    const { problem } = await send(text);
    if (problem && !box.value) box.value = text;
  });
}

/** Let an input offer choices: `source(text)` returns each with what it is for, `pick` takes one; return their list. */
export function suggest(input, label, source, pick) {
  const id = `${input.id}-offers`;
  const stay = (event) => event.preventDefault(); // or a click would take the focus from the input
  const about = { id, role: "listbox", class: "offers card", hidden: true, "aria-label": label };
  const list = h("ul", { ...about, onpointerdown: stay });
  let chosen = null;
  const choose = (row) => {
    chosen?.setAttribute("aria-selected", "false");
    row?.setAttribute("aria-selected", "true");
    row?.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", row?.id ?? "");
    chosen = row;
  };
  const fill = (rows) => {
    list.replaceChildren(...rows);
    list.hidden = !rows.length;
    if (input.role) input.ariaExpanded = String(!list.hidden);
    choose(null);
  };
  const take = (row) => {
    fill([]);
    pick(row.dataset.word);
    input.focus();
  };
  const offered = ([word, meaning], i) => {
    const row = { role: "option", id: `${id}-${i}`, class: "row", "data-word": word, "aria-selected": "false" };
    const onclick = (event) => take(event.currentTarget);
    return h("li", { ...row, onclick }, h("b", {}, word), h("small", {}, meaning));
  };
  const offer = async () => {
    const text = input.value;
    const found = await source(text);
    if (input.value === text) fill(found.map(offered));
  };
  // A box of several lines may be no combobox.
  if (input.matches("input")) Object.assign(input, { role: "combobox", ariaExpanded: "false" });
  input.ariaAutoComplete = "list";
  input.setAttribute("aria-controls", id);
  input.addEventListener("input", offer);
  input.addEventListener("click", offer);
  input.addEventListener("blur", () => fill([]));
  input.addEventListener("keydown", (event) => {
    const rows = [...list.children];
    const at = rows.indexOf(chosen);
    const acts = {
      ArrowDown: () => (rows.length ? choose(rows[at + 1] ?? rows[0]) : offer()),
      ArrowUp: () => choose(rows[at - 1] ?? rows.at(-1)),
      Tab: () => take(chosen ?? rows[0]),
      Enter: () => take(chosen),
      Escape: () => fill([]),
    };
    if (!acts[event.key] || event.shiftKey || event.altKey || (event.key === "Enter" && !chosen)) return;
    if (!rows.length && event.key !== "ArrowDown") return;
    acts[event.key]();
    event.preventDefault();
    event.stopImmediatePropagation();
  });
  return list;
}
