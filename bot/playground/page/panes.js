import { doing, type } from "./app.js";
import { byId, h } from "./dom.js";
import { act, messages, state, world } from "./live.js";
import { showMessages } from "./messages.js";

let about = null; // the message that a thread or a look inside is about
let drawn = ""; // what the pane shows now

export const paneOf = () => state.pane;

export function openPane(name, message = null) {
  state.pane = name;
  about = message;
  drawn = "";
  document.body.classList.add("with-pane");
  showPane(panes.on, null);
}

export function closePane() {
  if (!state.pane) return;
  const held = byId("pane").contains(document.activeElement);
  state.pane = drawn = "";
  document.body.classList.remove("with-pane");
  showPane(panes.on, null);
  if (held) byId("box").focus();
}

/** Draw the pane that is open, if it is another one or if what it shows is among the parts that changed. */
export function showPane(on, keys) {
  panes.on = on ?? panes.on;
  const pane = byId("pane");
  pane.hidden = !state.pane;
  for (const button of byId("tools").querySelectorAll("button"))
    button.setAttribute("aria-pressed", String(Boolean(state.pane) && button.textContent.startsWith(TITLES[state.pane])));
  if (!state.pane || !world()) return;
  if (drawn !== state.pane) {
    drawn = state.pane;
    const title = h("h2", { id: "pane-title" }, TITLES[state.pane]);
    const body = h("div", { class: "content" });
    pane.className = state.pane;
    pane.replaceChildren(h("header", {}, title, h("button", { type: "button", class: "close", "aria-label": "Close", onclick: closePane }, "×")), body);
    panes[state.pane](body);
  } else if (LIVE[state.pane]?.(keys)) panes[state.pane](pane.querySelector(".content"), true);
}

const TITLES = { guide: "First minute", thread: "Thread", inside: "Look inside", wechat: "WeChat", policy: "Policy" };
const LIVE = { guide: (keys) => keys?.has("steps"), wechat: (keys) => keys?.has("wechat"), thread: () => true };

const panes = {
  on: null,

  thread(body, again) {
    const parent = state.parts.get(`${about.channel} ${about.ts}`);
    const list = [parent, ...messages(about.channel, about.ts)].filter(Boolean);
    if (!again) {
      const box = h("textarea", { rows: 2, "aria-label": "Reply in the thread", placeholder: "Reply …" });
      const submit = async (event) => {
        event.preventDefault();
        if (!box.value.trim()) return;
        await doing("say", { channel: about.channel, text: box.value, thread: about.ts });
        box.value = "";
      };
      box.addEventListener("keydown", (event) => event.key === "Enter" && !event.shiftKey && submit(event));
      body.replaceChildren(h("div", { class: "log", role: "log", "aria-label": "Thread" }), h("form", { onsubmit: submit }, box, h("button", { class: "button primary" }, "Reply")));
    }
    showMessages(body.firstChild, list, panes.on, true);
  },

  async inside(body) {
    const found = await act("inside", { channel: about.channel, ts: about.ts });
    if (found.problem) return body.replaceChildren(h("p", {}, found.problem));
    const part = (title, ...content) => h("details", { open: true }, h("summary", {}, title), content);
    const events = found.events.map(({ at, kind, request, ...more }) =>
      h("li", {}, h("time", {}, at.slice(11, 19)), h("b", {}, kind), h("small", {}, Object.entries(more).map(([name, value]) => `${name} ${value}`).join(" · "))));
    body.replaceChildren(
      ...(found.request ? [
        h("p", { class: "context" }, "Request ", h("code", {}, found.request)),
        part("What the policy decides", h("pre", {}, found.decision || "No single env and appid: ask `share-env-bot policy`.")),
        part("What the ledger holds", h("ol", { class: "events" }, events)),
      ] : [h("p", { class: "context" }, "This message is about no request.")]),
      part("What Slack holds", h("pre", {}, JSON.stringify(found.message, null, 2))),
    );
  },

  wechat(body, again) {
    const { words, planned, calls, shared } = state.parts.get("wechat");
    const row = (each) => h("li", {}, h("code", {}, each));
    if (!again) {
      const choice = h("select", { id: "weather" }, words.map(([word, about]) => h("option", { value: word }, `${word} – ${about}`)));
      const told = h("p", { role: "status" });
      const set = async (order) => (told.textContent = (await doing("wechat", { order })).said ?? "");
      choice.value = "85088";
      body.replaceChildren(
        h("p", {}, h("label", { for: "weather" }, h("b", {}, "What WeChat does next")), choice),
        h("p", { class: "actions" }, h("button", { type: "button", class: "button primary", onclick: () => set(choice.value) }, "Let it"), h("button", { type: "button", class: "button", onclick: () => set("ok") }, "All as usual")),
        told, h("div", { class: "facts" }),
      );
    }
    body.lastChild.replaceChildren(
      ...(planned.length ? [h("h3", {}, "Still to come"), h("ul", {}, planned.map(row))] : []),
      h("h3", {}, "Who holds which env"),
      shared.length ? h("table", {}, h("tr", {}, h("th", {}, "Env"), h("th", {}, "Appid")), shared.map((each) => h("tr", {}, h("td", {}, each.env), h("td", {}, each.appid)))) : h("p", { class: "context" }, "Nothing was shared yet."),
      h("h3", {}, "What it heard, the newest first"), h("ul", {}, calls.toReversed().map(row)),
    );
  },

  policy(body) {
    const box = h("textarea", { id: "rules", rows: 24, spellcheck: "false", "aria-label": "policy.toml" });
    const told = h("div", { role: "status" });
    box.value = state.parts.get("policy");
    const save = async () => {
      told.replaceChildren("The bot reads it …");
      const { problems, problem } = await act("policy", { text: box.value });
      const wrong = problem ? [problem] : problems;
      told.replaceChildren(wrong.length ? h("ul", { class: "error" }, wrong.map((each) => h("li", {}, each))) : h("p", { class: "good" }, "✅ In force. The next command is decided by it."));
    };
    body.replaceChildren(
      h("p", { class: "context" }, "The bot takes a changed file on by itself; a bad one is refused, and the old one stays in force."),
      box, h("p", {}, h("button", { type: "button", class: "button primary", onclick: save }, "Put into force")), told,
    );
  },

  guide(body) {
    const steps = state.parts.get("steps");
    const start = async (step) => {
      if (step.wechat) await doing("wechat", { order: step.wechat });
      type(step.line, step.role, "C0RELEASES");
    };
    const button = (label, step, go) => h("button", { type: "button", class: "button", "aria-label": `${label}: ${step.title}`, onclick: go }, label);
    body.replaceChildren(...[
      h("p", { class: "context" }, "The real bot, with a Slack and a WeChat made up on this machine. Nothing leaves it."),
      h("ol", { class: "steps" }, steps.map((step) =>
        h("li", { class: step.done ? "done" : "" },
          h("h3", {}, step.title, step.done && h("span", { class: "unseen" }, " (done)")),
          h("p", {}, step.words),
          h("p", {}, button("Type it", step, () => start(step)), step.then && button(`Be the ${step.then}`, step, () => (location.hash = `#${step.then}/C0APPROVALS`)))))),
      steps.every((each) => each.done) && h("p", { class: "good" }, "🎉 That was all of it. README says how to install it."),
    ].filter(Boolean));
  },
};
