import { button, byId, h, suggest } from "./dom.js";
import { act, doing, state } from "./live.js";

const fit = () => {
  const box = byId("box");
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight + 2, 180)}px`;
};

/** Put words into the message box. */
export function type(text) {
  byId("box").value = text;
  fit();
  byId("box").focus();
}

async function offers(typed) {
  if (!typed.startsWith("/") || typed.includes("\n")) return [];
  return ((await act("complete", { typed })).offers ?? []).map(([label, about]) => ({ label, about }));
}

/** Make the message box, with the shortcut on its left. */
export function makeComposer() {
  const box = h("textarea", { id: "box", rows: 1, autocomplete: "off", spellcheck: "false" });
  const list = h("ul", { id: "offers", role: "listbox", class: "offers", hidden: true, "aria-label": "Commands" });
  const about = { title: "The shortcut “Share an env”", "aria-label": "Open the form to share an env" };
  const form = button("⚡", () => doing("shortcut"), about);
  box.addEventListener("input", fit);
  suggest(box, list, offers, (choice) => {
    box.value = box.value.replace(/\S*$/, "") + choice.label;
    box.dispatchEvent(new Event("input"));
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    byId("composer").requestSubmit();
  });
  byId("composer").append(list, form, box, h("button", { type: "submit", class: "button primary" }, "Send"));
  byId("composer").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = box.value;
    if (!text.trim()) return;
    type("");
    list.hidden = true;
    const answer = await doing("say", { channel: state.place, text, thread: "" });
    if (answer.problem && !box.value) type(text);
  });
}
