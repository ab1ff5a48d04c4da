import { button, h, suggest } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";

let made = 0;

/**
 * Return blocks as nodes. `on` has `names` and `link` for the markup, `act(kind, block, element, value)` for what
 * is clicked, `options(element, typed)` for what a select offers and, in a form, `fields`, `values` and `errors`.
 */
export function blocks(list, on) {
  return list.map((block) => {
    switch (block.type) {
      case "section":
        return h("div", { class: "section" }, section(block, on));
      case "context":
        return h("div", { class: "context" }, block.elements.map((each) => h("span", {}, words(each, on))));
      case "rich_text":
        return h("div", { class: "section" }, block.elements.map((each) => h("pre", {}, each.elements.map(words))));
      case "actions":
        return h("div", { class: "actions" }, block.elements.map((each) => element(block, each, on).node));
      case "input":
        return input(block, on);
      default:
        return h("div", { class: "context" }, block.alt_text ?? block.type);
    }
  });
}

const words = (text, on) =>
  !text ? "" : text.type === "mrkdwn" ? mrkdwn(text.text, on.names, on.link) : text.text ?? text.alt_text ?? "";

function section(block, on) {
  const beside = block.accessory && element(block, block.accessory, on).node;
  return [h("div", { class: "text" }, words(block.text, on)), beside];
}

function input(block, on) {
  const id = `field-${++made}`;
  const error = on.errors?.[block.block_id];
  const field = element(block, block.element, on, id);
  const boxes = block.element.type === "checkboxes";
  const label = [words(block.label, on), block.optional && h("small", {}, " (optional)")];
  const inner = field.node.querySelector("input");
  const control = boxes || !inner ? field.node : inner;
  control.setAttribute("aria-describedby", `${id}-hint ${id}-error`);
  if (error) control.setAttribute("aria-invalid", "true");
  if (!block.optional && !boxes) control.setAttribute("aria-required", "true");
  return h(
    boxes ? "fieldset" : "div",
    { class: "field" },
    boxes ? h("legend", {}, label) : h("label", { for: id }, label),
    field.node,
    h("p", { id: `${id}-hint`, class: "hint" }, block.hint ? words(block.hint, on) : ""),
    h("p", { id: `${id}-error`, class: "error" }, error ? `⚠ ${error}` : ""),
  );
}

const optionsOf = (element) => element.options ?? (element.option_groups ?? []).flatMap((group) => group.options);

/** Return an element's node; in a form it is remembered in `on.fields`, with how to read it. */
function element(block, element, on, id = `field-${++made}`) {
  const held = on.values?.[block.block_id]?.[element.action_id];
  const told = block.type !== "input" || block.dispatch_action;
  const choose = (value) => told && on.act("select", block, element, value);
  const built = (ELEMENTS[element.type] ?? unknown)(element, on, id, held, choose, block);
  if (block.type === "input" && built.read) on.fields.push({ block, element, read: built.read });
  return built;
}

const unknown = (element) => ({ node: h("span", { class: "context" }, element.alt_text ?? element.type) });

const ELEMENTS = {
  button: (element, on, id, held, choose, block) => {
    const click = async (event) => {
      const ask = element.confirm;
      if (ask && !confirm(`${ask.title.text}\n\n${ask.text.text}`)) return;
      event.target.disabled = true;
      await on.act("click", block, element);
      event.target.disabled = false;
    };
    const about = { class: `button ${element.style ?? ""}`, "data-action": element.action_id, "aria-label": element.accessibility_label };
    return { node: button(element.text.text, click, about) };
  },
  plain_text_input: (element, on, id, held) => {
    const value = held ?? element.initial_value ?? "";
    const about = { id, maxlength: element.max_length, placeholder: element.placeholder?.text };
    const node = element.multiline ? h("textarea", { ...about, rows: 4 }) : h("input", about);
    node.value = value;
    return { node, read: () => node.value.trim() || null };
  },
  static_select: (element, on, id, held, choose) => {
    const chosen = held ?? element.initial_option?.value ?? "";
    const rows = optionsOf(element).map((each) => [each.value, each.text.text]);
    return picker(id, [["", element.placeholder?.text ?? "Choose"], ...rows], chosen, choose);
  },
  external_select: (element, on, id, held) => {
    const node = h("input", { id, autocomplete: "off", "data-eager": "yes", placeholder: element.placeholder?.text });
    const list = h("ul", { id: `${id}-list`, role: "listbox", class: "offers", hidden: true, "aria-label": "Choices" });
    node.value = held ?? element.initial_option?.value ?? "";
    const source = async (typed) =>
      (await on.options(element, typed)).map((each) => ({ label: each.value, about: each.description?.text }));
    suggest(node, list, source, (choice) => (node.value = choice.label));
    return { node: h("div", { class: "combo" }, node, list), read: () => node.value.trim() || null };
  },
  checkboxes: (element, on, id, held, choose) => {
    const chosen = held ?? (element.initial_options ?? []).map((each) => each.value);
    const read = () => [...node.querySelectorAll("input:checked")].map((each) => each.value);
    const box = (value) => h("input", { type: "checkbox", value, checked: chosen.includes(value) });
    const tick = ({ text, value }) => h("label", { class: "tick" }, box(value), text.text);
    const node = h("div", { onchange: () => choose(read()) }, element.options.map(tick));
    return { node, read };
  },
};

function picker(id, rows, chosen, choose) {
  const options = rows.map(([value, text]) => h("option", { value }, text));
  const node = h("select", { id, onchange: () => choose(node.value || null) }, options);
  node.value = chosen;
  return { node, read: () => node.value || null };
}
