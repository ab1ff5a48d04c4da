/** Make an element from attributes, listeners (`onclick`) and children; whatever is text stays text. */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((child) => child || child === 0));
  return node;
}

export const byId = (id) => document.getElementById(id);

export const button = (words, onclick, more = {}) =>
  h("button", { type: "button", class: "button", onclick, ...more }, words);

export const small = (...words) => h("p", { class: "context" }, words);

/** Open a menu of [words, what to do] below a button; arrows move, Escape closes, the focus goes back. */
export function openMenu(opener, items) {
  const menu = byId("menu");
  const close = () => {
    menu.hidePopover();
    opener.focus();
  };
  const item = ([words, act]) => button(words, () => (close(), act()), { class: "", role: "menuitem" });
  menu.replaceChildren(...items.map(item));
  menu.showPopover();
  const at = opener.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(at.right, innerWidth - 8) - menu.offsetWidth)}px`;
  menu.style.top = `${Math.min(at.bottom + 4, innerHeight - menu.offsetHeight - 8)}px`;
  menu.firstChild.focus();
  menu.onkeydown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const now = [...menu.children].indexOf(document.activeElement);
    if (step) menu.children[(now + step + items.length) % items.length].focus();
    else if (event.key === "Escape" || event.key === "Tab") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
}

/** Let an input offer choices below it: `source(text)` returns them, `pick` takes one. */
export function suggest(input, list, source, pick) {
  let offered = [];
  let at = -1;
  const show = (chosen) => {
    at = chosen;
    [...list.children].forEach((row, i) => row.setAttribute("aria-selected", i === at));
    list.children[at]?.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", list.children[at]?.id ?? "");
  };
  const hide = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    show(-1);
  };
  const take = (choice) => (hide(), pick(choice), input.focus());
  const offer = async () => {
    const text = input.value;
    const found = await source(text);
    if (input.value !== text) return;
    offered = found;
    list.replaceChildren(
      ...offered.map((choice, i) => {
        const row = { role: "option", id: `${list.id}-${i}`, "aria-selected": "false" };
        const words = [h("b", {}, choice.label), choice.about && h("small", {}, choice.about)];
        return h("li", { ...row, onpointerdown: (event) => (event.preventDefault(), take(choice)) }, words);
      }),
    );
    list.hidden = !offered.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    show(-1);
  };
  for (const [name, value] of Object.entries({ role: "combobox", "aria-expanded": "false", "aria-controls": list.id }))
    input.setAttribute(name, value);
  input.setAttribute("aria-autocomplete", "list");
  input.addEventListener("input", offer);
  input.addEventListener("click", () => input.dataset.eager && offer());
  input.addEventListener("blur", hide);
  input.addEventListener("keydown", (event) => {
    if (list.hidden && event.key === "ArrowDown" && input.dataset.eager) offer();
    if (list.hidden) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) show((Math.max(at, step < 0 ? 0 : -1) + step + offered.length) % offered.length);
    else if (event.key === "Escape") hide();
    else if (event.key === "Tab" && !event.shiftKey) take(offered[Math.max(at, 0)]);
    else if (event.key === "Enter" && at >= 0) take(offered[at]);
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  });
}
