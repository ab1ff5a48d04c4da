import { blocks } from "./blocks.js";
import { button, h, small } from "./dom.js";
import { act, state, world } from "./live.js";

let open = null; // the form on top: its view, and its fields

const shown = (view, on, more) => ({
  names: world().names,
  link: on.link,
  fields: [],
  act: (kind, block, element, value) =>
    on.act(kind, { view: view.id, block: block.block_id, action: element.action_id, value }),
  options: async ({ action_id: action }, typed) =>
    (await act("options", { view: view.id, action, typed })).options ?? [],
  ...more,
});

/** Show the bot's Home in place of messages. */
export function showHome(log, on) {
  const view = state.parts.get("home");
  const content = view ? blocks(view.blocks, shown(view, on)) : small("The bot is asked for this page …");
  log.replaceChildren(h("div", { class: "home" }, content));
}

/** Show the modal on top, or none; what was filled in stays, also when the bot says what is wrong with it. */
export function showModal(dialog, on) {
  const view = state.parts.get("modal");
  const values = view && open?.view.id === view.id ? filled() : {};
  open = null;
  if (!view) return dialog.close();
  fill(dialog, view, on, values, view.errors);
  if (!dialog.open) dialog.showModal();
  (dialog.querySelector("[aria-invalid]") ?? dialog.querySelector("input,textarea,select,button.primary"))?.focus();
}

function fill(dialog, view, on, values, errors) {
  const form = shown(view, on, { values, errors });
  const content = blocks(view.blocks, form);
  open = { view, fields: form.fields };
  const leave = () => on.act("close");
  const submit = async (event) => {
    event.preventDefault();
    const missing = open.fields.filter(({ block, read }) => !block.optional && !read()?.length);
    if (missing.length) {
      const told = missing.map(({ block }) => [block.block_id, "Please complete this required field."]);
      fill(dialog, view, on, filled(), Object.fromEntries(told));
      return dialog.querySelector("[aria-invalid]").focus();
    }
    event.submitter.disabled = true;
    await on.act("submit", { values: filled() });
    event.submitter.disabled = false;
  };
  dialog.oncancel = (event) => {
    event.preventDefault();
    leave();
  };
  const close = button("×", leave, { class: "close", "aria-label": "Close" });
  const send = view.submit && h("button", { type: "submit", class: "button primary" }, view.submit.text);
  dialog.replaceChildren(
    h(
      "form",
      { onsubmit: submit, novalidate: true },
      h("header", {}, h("h2", { id: "modal-title" }, view.title.text), close),
      h("div", { class: "content" }, content),
      h("footer", {}, button(view.close?.text ?? "Close", leave), send),
    ),
  );
}

/** Return what the fields hold, by block and action. */
function filled() {
  const values = {};
  for (const { block, element, read } of open.fields) (values[block.block_id] ??= {})[element.action_id] = read();
  return values;
}
