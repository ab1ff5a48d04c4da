import { button, h, once, suggest } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";
import { table } from "./table.js";

let made = 0;

/**
 * Return blocks as nodes. `on` has `names` and `link` for the markup, `act(kind, block, element)` for what
 * is clicked, `options(element, typed)` for what a select offers and, in a form, `fields`, `values` and `errors`.
 */
export const blocks = (list, on) => list.map((block) => (BLOCKS[block.type] ?? other)(block, on));

const other = (block) => h("div", { class: "soft" }, block.alt_text ?? block.type);

const BLOCKS = {
  section: (block, on) => h("div", { class: "section text" }, words(block.text, on)),
  context: (block, on) => h("div", { class: "soft text" }, block.elements.map((each) => words(each, on))),
  rich_text: (block) => block.elements.map((each) => h("pre", {}, each.elements.map(words))),
  data_table: table,
  actions: (block, on) => h("div", { class: "actions row" }, block.elements.map((each) => element(block, each, on))),
  input,
};

const words = (text, on) =>
  text?.type === "mrkdwn" ? mrkdwn(text.text, on.names, on.link) : text?.text ?? text?.alt_text;

function input(block, on) {
  const id = `field-${++made}`;
  const error = on.errors[block.block_id];
  const node = element(block, block.element, on, id);
  const boxes = block.element.type === "checkboxes";
  const control = node.querySelector("input[role]") ?? node;
  const label = [words(block.label, on), block.optional && h("small", {}, " (optional)")];
  control.setAttribute("aria-describedby", `${id}-hint ${id}-error`);
  if (error) control.setAttribute("aria-invalid", "true");
  if (!block.optional && !boxes) control.setAttribute("aria-required", "true");
  return h(
    boxes ? "fieldset" : "div",
    {},
    boxes ? h("legend", {}, label) : h("label", { for: id }, label),
    node,
    h("p", { id: `${id}-hint`, class: "soft" }, words(block.hint, on)),
    h("p", { id: `${id}-error`, class: "error" }, error && `⚠ ${error}`),
  );
}

/** Return an element's node; in a form it is remembered in `on.fields`, with how to read it. */
function element(block, element, on, id = `field-${++made}`) {
  const held = on.values?.[block.block_id]?.[element.action_id];
  const node = (ELEMENTS[element.type] ?? other)(element, { on, id, held, block });
  if (block.type === "input" && node.read) on.fields.push({ block, element, read: node.read });
  return node;
}

const readable = (node, read) => Object.assign(node, { read });

const ELEMENTS = {
  button: (element, { on, block }) => {
    const click = (event) => once(event.currentTarget, () => on.act("click", block, element));
    return button(element.text.text, click, { class: element.style, "aria-label": element.accessibility_label });
  },
  plain_text_input: (element, { id, held }) => {
    const about = { id, maxlength: element.max_length, placeholder: element.placeholder?.text, rows: 4 };
    const node = h(element.multiline ? "textarea" : "input", about);
    node.value = held ?? "";
    return readable(node, () => node.value.trim() || null);
  },
  external_select: (element, { on, id, held }) => {
    const node = h("input", { id, autocomplete: "off", placeholder: element.placeholder?.text });
    node.value = held ?? "";
    const source = async (typed) =>
      (await on.options(element, typed)).map((each) => [each.value, each.description?.text ?? ""]);
    const list = suggest(node, "Choices", source, (word) => (node.value = word));
    return readable(h("div", { class: "combo" }, node, list), () => node.value.trim() || null);
  },
  checkboxes: (element, { held }) => {
    const read = () => [...node.querySelectorAll("input:checked")].map((each) => each.value);
    const box = (value) => h("input", { type: "checkbox", value, checked: held?.includes(value) });
    const tick = ({ text, value }) => h("label", { class: "row" }, box(value), text.text);
    const node = h("div", {}, element.options.map(tick));
    return readable(node, read);
  },
};
