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

let opener = null;

/** Open a menu of [words, what to do] below a button; arrows move, Escape closes. */
export function openMenu(button, items) {
  const menu = byId("menu");
  opener = button;
  menu.replaceChildren(
    ...items.map(([words, act]) =>
      h("button", { type: "button", role: "menuitem", onclick: () => (closeMenu(), act()) }, words),
    ),
  );
  menu.hidden = false;
  const at = button.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(at.right - menu.offsetWidth, innerWidth - menu.offsetWidth - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(at.bottom + 4, innerHeight - menu.offsetHeight - 8))}px`;
  menu.firstChild.focus();
}

function closeMenu() {
  byId("menu").hidden = true;
  opener?.focus();
  opener = null;
}

export function keepMenu() {
  const menu = byId("menu");
  menu.addEventListener("keydown", (event) => {
    const items = [...menu.children];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) items.at((items.indexOf(document.activeElement) + step) % items.length).focus();
    if (event.key === "Escape" || event.key === "Tab") closeMenu();
    if (step || event.key === "Escape") (event.preventDefault(), event.stopPropagation());
  });
  document.addEventListener("pointerdown", (event) => {
    if (!menu.hidden && !menu.contains(event.target)) menu.hidden = true;
  });
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
    offered = await source(text);
    if (input.value !== text) return;
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
    event.stopPropagation();
  });
}
