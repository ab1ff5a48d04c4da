import { blocks } from "./blocks.js";
import { button, byId, h, once, show, soft } from "./dom.js";
import { act, state, world } from "./live.js";

let open = null; // the form on top: its view, and its fields

const shown = (view, on, more) => ({
  names: world().names,
  link: on.link,
  fields: [],
  act: (kind, block, element) =>
    on.act(kind, { view: view.id, block: block.block_id, action: element.action_id }),
  options: async ({ action_id: action }, typed) =>
    (await act("options", { view: view.id, action, typed })).options ?? [],
  ...more,
});

/** Show the bot's Home in place of messages. */
export function showHome(log, on) {
  const view = state.parts.get("home");
  if (!log.firstChild?.matches(".home")) log.replaceChildren(h("div", { class: "home content stack" }));
  show(log.firstChild, [view], () =>
    view ? blocks(view.blocks, shown(view, on)) : soft("The bot is asked for this page …"),
  );
}

/** Show the modal on top, or none; what was filled in stays, also when the bot says what is wrong with it. */
export function showModal(on) {
  const view = state.parts.get("modal");
  const dialog = byId("modal");
  if (JSON.stringify(view) === JSON.stringify(open?.view)) return;
  const values = view && open?.view.id === view.id ? filled() : {};
  open = null;
  if (!view) return dialog.close();
  fill(dialog, view, on, values, view.errors);
  if (!dialog.open) dialog.showModal();
  (dialog.querySelector("[aria-invalid]") ?? dialog.querySelector("input,textarea,select,.primary"))?.focus();
}

function fill(dialog, view, on, values, errors) {
  const form = shown(view, on, { values, errors });
  const content = blocks(view.blocks, form);
  open = { view, fields: form.fields };
  const told = h("p", { class: "error", role: "status" });
  const leave = () => on.act("close");
  const submit = async (event) => {
    event.preventDefault();
    const missing = open.fields.filter(({ block, read }) => !block.optional && !read()?.length);
    if (missing.length) {
      const told = missing.map(({ block }) => [block.block_id, "Please complete this required field."]);
      fill(dialog, view, on, filled(), Object.fromEntries(told));
      return dialog.querySelector("[aria-invalid]").focus();
    }
    await once(event.submitter, async () => {
      const { problem } = await on.act("submit", { values: filled() });
      told.textContent = problem ?? ""; // what stands below the form cannot be read
    });
  };
  dialog.oncancel = (event) => {
    event.preventDefault();
    leave();
  };
  const close = button("×", leave, { class: "plain", "aria-label": "Close" });
  const send = view.submit && h("button", { class: "primary" }, view.submit.text);
  const parts = [
    h("header", { class: "row title" }, h("h2", { id: "modal-title" }, view.title.text), close),
    h("div", { class: "content stack" }, content, told),
    h("footer", { class: "row" }, button(view.close?.text ?? "Close", leave), send),
  ];
  dialog.replaceChildren(h("form", { onsubmit: submit, novalidate: true }, parts));
}

/** Return what the fields hold, by block and action. */
function filled() {
  const values = {};
  for (const { block, element, read } of open.fields) (values[block.block_id] ??= {})[element.action_id] = read();
  return values;
}
