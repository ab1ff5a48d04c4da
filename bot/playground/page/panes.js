import { button, byId, h, sends, show, soft } from "./dom.js";
import { act, messages, state, world } from "./live.js";
import { showMessages } from "./messages.js";

let open = ""; // the pane beside the messages
let back = ""; // the pane to go back to
let about = null; // the message that a thread or a look inside is about

/** Open a pane: that of a thread or a look inside is about a message. */
export function openPane(name, on, message = null) {
  about = message;
  if (!message || !open) back = "";
  else if (open === "guide") back = open;
  open = name;
  byId("pane").replaceChildren();
  showPane(on);
}

export function closePane() {
  if (byId("pane").contains(document.activeElement)) byId("box").focus();
  openPane("");
}

/** Open a pane, or close it if it is open. */
export const togglePane = (name, on) => (open === name ? closePane() : openPane(name, on));

/** Show the pane that is open as it now is. */
export function showPane(on) {
  const pane = byId("pane");
  pane.hidden = !open;
  for (const each of document.querySelectorAll("[data-pane]"))
    each.setAttribute("aria-pressed", String(each.dataset.pane === open));
  if (!open || !world()) return;
  const [title, draw, update] = PANES[open];
  if (!pane.firstChild) {
    const close = button("×", closePane, { class: "plain", "aria-label": "Close" });
    const body = h("div", { class: "content stack" });
    pane.className = open;
    const return_ = back && button("‹ First minute", () => openPane(back, on), { class: "plain" });
    pane.append(h("header", { class: "row title" }, h("h2", { id: "pane-title" }, title), return_, close), body);
    draw(body, on);
  }
  update?.(pane.lastChild, on);
}

const PANES = {
  guide: ["First minute", () => {}, showSteps],
  thread: ["Thread", drawThread, showThread],
  inside: ["Look inside", drawInside],
  wechat: ["WeChat", drawWechat, showWechat],
  policy: ["Policy", drawPolicy],
};

function drawThread(body, on) {
  const box = h("textarea", { rows: 2, "aria-label": "Reply in the thread", placeholder: "Reply …" });
  const form = h("form", { class: "stack" }, box, h("button", { class: "primary" }, "Reply"));
  const { channel, ts } = about;
  sends(form, box, (text) => act("say", { channel, text, thread: ts }));
  body.append(h("div", { class: "log", role: "log", "aria-label": "Thread", tabindex: 0 }), form);
  showThread(body, on);
  body.firstChild.scrollTop = body.firstChild.lastChild.offsetTop - body.firstChild.offsetTop;
}

function showThread(body, on) {
  const parent = state.parts.get(`${about.channel} ${about.ts}`);
  showMessages(body.firstChild, [parent, ...messages(about.channel, about.ts)].filter(Boolean), on, true);
}

async function drawInside(body) {
  const found = await act("inside", { channel: about.channel, ts: about.ts });
  if (found.problem) return;
  const part = (title, content) => h("details", { open: true }, h("summary", {}, title), content);
  const event = ({ at, kind, request, ...facts }) => {
    const told = Object.entries(facts).map(([name, value]) => `${name} ${value}`);
    return h("li", {}, h("time", {}, at.slice(11, 19)), " ", h("b", {}, kind), soft(told.join(" · ")));
  };
  const none = "The policy decides about one env and one appid, and this is about another number of them.";
  const slack = part("What Slack holds", h("pre", { tabindex: 0 }, JSON.stringify(found.message, null, 2)));
  if (!found.request) return body.append(soft("This message is about no request."), slack);
  body.append(
    soft("Request ", h("code", {}, found.request)),
    part("What the policy decides", found.decision ? h("pre", { tabindex: 0 }, found.decision) : soft(none)),
    part("What the ledger holds", h("ol", {}, found.events.map(event))),
    slack,
  );
}

function drawWechat(body) {
  const option = ([word, meaning]) => h("option", { value: word }, `${word} – ${meaning}`);
  const choice = h("select", { id: "weather" }, state.parts.get("wechat").words.map(option));
  const told = h("p", { role: "status" });
  const set = async (order) => (told.textContent = (await act("wechat", { order })).said ?? "");
  choice.value = "85088";
  body.append(
    h("label", { for: "weather" }, "What WeChat does next"),
    choice,
    h("p", { class: "row" }, [
      button("Let it", () => set(choice.value), { class: "primary" }),
      button("All as usual", () => set("ok")),
    ]),
    told,
    h("div", { class: "stack text" }),
  );
}

function showWechat(body) {
  const { calls, shared, planned, about: what } = state.parts.get("wechat");
  const row = (tag, ...cells) => h("tr", {}, cells.map((each) => h(tag, {}, each)));
  const held = () => h("table", {}, row("th", "Env", "Appid"), shared.map(({ env, appid }) => row("td", env, appid)));
  show(body.lastChild, [calls, shared, planned], () => [
    planned && h("p", {}, "⏳ Still to come: ", h("b", {}, planned), ` – ${what}`),
    h("h3", {}, "Who holds which env"),
    shared.length ? held() : soft("Nothing was shared yet."),
    h("h3", {}, "What it heard, the newest first"),
    h("ul", {}, calls.toReversed().map((each) => h("li", {}, each))),
  ]);
}

function drawPolicy(body) {
  const box = h("textarea", { class: "code", rows: 24, spellcheck: "false", "aria-label": "policy.toml" });
  const told = h("div", { role: "status" });
  box.value = state.parts.get("policy");
  const save = async () => {
    told.replaceChildren("The bot reads it …");
    const { problems, problem } = await act("policy", { text: box.value });
    const wrong = (problem ? [problem] : problems).map((each) => h("li", { class: "error" }, each));
    told.replaceChildren(wrong.length ? h("ul", {}, wrong) : "✅ In force. The next command is decided by it.");
  };
  const why = "The bot takes a changed file on by itself; a bad one is refused, and the old one stays in force.";
  body.append(soft(why), box, h("p", {}, button("Put into force", save, { class: "primary" })), told);
}

function showSteps(body, on) {
  const steps = state.parts.get("steps");
  const start = async (step) => {
    if (step.wechat) await act("wechat", { order: step.wechat });
    on.go(step.role, "C0RELEASES", step.line);
  };
  const row = ({ title, words, done, then, answer, ...step }) => {
    const named = (label, onclick) => button(label, onclick, { "aria-label": `${label}: ${title}` });
    const next = then && named(`Be the ${then}`, () => on.go(then, "C0APPROVALS"));
    const read = answer && named("Read the answer", () => on.thread(answer));
    const acts = h("p", { class: "row" }, named("Type it", () => start(step)), next, read);
    return h("li", { class: "card" }, h("h3", {}, title, done && " (done) ✅"), soft(words), acts);
  };
  show(body, steps, () => [
    soft("The real bot, with a Slack and a WeChat made up on this machine. Nothing leaves it."),
    h("ol", { class: "stack" }, steps.map(row)),
    steps.every((each) => each.done) && h("b", {}, "🎉 That was all of it. README says how to install it."),
  ]);
}
