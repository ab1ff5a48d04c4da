import { button, byId, h, small } from "./dom.js";
import { act, doing, messages, state, world } from "./live.js";
import { showMessages } from "./messages.js";

let about = null; // the message that a thread or a look inside is about
let drawn = ""; // what the pane shows now
let on = null; // what can be done, as the messages have it

/** Open a pane beside the messages: that of a thread or a look inside is about a message. */
export function openPane(name, message = null) {
  state.pane = name;
  about = message;
  drawn = "";
  showPane(on, null);
}

export function closePane() {
  if (!state.pane) return;
  const held = byId("pane").contains(document.activeElement);
  state.pane = drawn = "";
  showPane(on, null);
  if (held) byId("box").focus();
}

/** Draw the pane that is open, if it is another one or if what it shows is among the parts that changed. */
export function showPane(acts, keys) {
  on = acts;
  const pane = byId("pane");
  pane.hidden = !state.pane;
  document.body.classList.toggle("with-pane", Boolean(state.pane));
  for (const button of byId("tools").querySelectorAll("button"))
    button.setAttribute("aria-pressed", String(button.dataset.pane === state.pane));
  if (!state.pane || !world()) return;
  const { title, draw, part } = PANES[state.pane];
  if (drawn === state.pane) {
    if (part && (part === "any" || keys?.has(part))) draw(pane.querySelector(".content"), true);
    return;
  }
  drawn = state.pane;
  const close = button("×", closePane, { class: "close", "aria-label": "Close" });
  const body = h("div", { class: "content" });
  pane.className = state.pane;
  pane.replaceChildren(h("header", {}, h("h2", { id: "pane-title" }, title), close), body);
  draw(body, false);
}

const PRIMARY = { class: "button primary" };

const PANES = {
  guide: { title: "First minute", draw: guide, part: "steps" },
  thread: { title: "Thread", draw: thread, part: "any" },
  inside: { title: "Look inside", draw: inside },
  wechat: { title: "WeChat", draw: wechat, part: "wechat" },
  policy: { title: "Policy", draw: policy },
};

function thread(body, again) {
  if (!again) {
    const box = h("textarea", { rows: 2, "aria-label": "Reply in the thread", placeholder: "Reply …" });
    const submit = async (event) => {
      event.preventDefault();
      if (!box.value.trim()) return;
      await doing("say", { channel: about.channel, text: box.value, thread: about.ts });
      box.value = "";
    };
    box.addEventListener("keydown", (event) => event.key === "Enter" && !event.shiftKey && submit(event));
    const form = h("form", { onsubmit: submit }, box, h("button", { class: "button primary" }, "Reply"));
    body.replaceChildren(h("div", { class: "log", role: "log", "aria-label": "Thread", tabindex: 0 }), form);
  }
  const parent = state.parts.get(`${about.channel} ${about.ts}`);
  const list = [parent, ...messages(about.channel, about.ts)].filter(Boolean);
  const log = body.firstChild;
  showMessages(log, list, on, true);
  if (!again) log.scrollTop = log.lastChild.offsetTop - log.offsetTop;
}

async function inside(body) {
  const found = await act("inside", { channel: about.channel, ts: about.ts });
  if (found.problem) return body.replaceChildren(small(found.problem));
  const part = (title, content) => h("details", { open: true }, h("summary", {}, title), content);
  const event = ({ at, kind, request, ...facts }) => {
    const told = Object.entries(facts).map(([name, value]) => `${name} ${value}`);
    return h("li", {}, h("time", {}, at.slice(11, 19)), h("b", {}, kind), h("small", {}, told.join(" · ")));
  };
  const none = "The policy decides about one env and one appid, and this is about another number of them.";
  const ofRequest = [
    part("What the policy decides", found.decision ? h("pre", { tabindex: 0 }, found.decision) : small(none)),
    part("What the ledger holds", h("ol", { class: "events" }, found.events.map(event))),
  ];
  body.replaceChildren(
    found.request ? small("Request ", h("code", {}, found.request)) : small("This message is about no request."),
    ...(found.request ? ofRequest : []),
    part("What Slack holds", h("pre", { tabindex: 0 }, JSON.stringify(found.message, null, 2))),
  );
}

function wechat(body, again) {
  const { words, planned, calls, shared } = state.parts.get("wechat");
  if (!again) {
    const option = ([word, meaning]) => h("option", { value: word }, `${word} – ${meaning}`);
    const choice = h("select", { id: "weather" }, words.map(option));
    const told = h("p", { role: "status" });
    const set = async (order) => (told.textContent = (await doing("wechat", { order })).said ?? "");
    const calm = button("All as usual", () => set("ok"));
    choice.value = "85088";
    body.replaceChildren(
      h("p", {}, h("label", { for: "weather" }, h("b", {}, "What WeChat does next")), choice),
      h("p", { class: "actions" }, button("Let it", () => set(choice.value), PRIMARY), calm),
      ...[told, h("div", { class: "facts" })],
    );
  }
  const list = (rows) => h("ul", {}, rows.map((each) => h("li", {}, each)));
  const cells = (tag, ...texts) => h("tr", {}, texts.map((each) => h(tag, {}, each)));
  const held = shared.map((each) => cells("td", each.env, each.appid));
  body.lastChild.replaceChildren(
    ...(planned.length ? [h("h3", {}, "Still to come"), list(planned)] : []),
    h("h3", {}, "Who holds which env"),
    shared.length ? h("table", {}, cells("th", "Env", "Appid"), held) : small("Nothing was shared yet."),
    ...[h("h3", {}, "What it heard, the newest first"), list(calls.toReversed())],
  );
}

function policy(body) {
  const box = h("textarea", { id: "rules", rows: 24, spellcheck: "false", "aria-label": "policy.toml" });
  const told = h("div", { role: "status" });
  box.value = state.parts.get("policy");
  const save = async () => {
    told.replaceChildren("The bot reads it …");
    const { problems, problem } = await act("policy", { text: box.value });
    const wrong = (problem ? [problem] : problems).map((each) => h("li", {}, each));
    const good = h("p", { class: "good" }, "✅ In force. The next command is decided by it.");
    told.replaceChildren(wrong.length ? h("ul", { class: "error" }, wrong) : good);
  };
  const why = "The bot takes a changed file on by itself; a bad one is refused, and the old one stays in force.";
  body.replaceChildren(small(why), box, h("p", {}, button("Put into force", save, PRIMARY)), told);
}

function guide(body) {
  const steps = state.parts.get("steps");
  const start = async (step) => {
    if (step.wechat) await doing("wechat", { order: step.wechat });
    on.go(step.role, "C0RELEASES", step.line);
  };
  const named = (node, title) => (node.setAttribute("aria-label", `${node.textContent}: ${title}`), node);
  const row = (step) => {
    const next = step.then && named(button(`Be the ${step.then}`, () => on.go(step.then, "C0APPROVALS")), step.title);
    const title = h("h3", {}, step.title, step.done && h("span", { class: "unseen" }, " (done)"));
    const acts = h("p", {}, named(button("Type it", () => start(step)), step.title), next);
    return h("li", { class: step.done ? "done" : "" }, title, h("p", {}, step.words), acts);
  };
  const rest = steps.every((each) => each.done) ? "🎉 That was all of it. README says how to install it." : "";
  body.replaceChildren(
    small("The real bot, with a Slack and a WeChat made up on this machine. Nothing leaves it."),
    ...[h("ol", { class: "steps" }, steps.map(row)), h("p", { class: "good" }, rest)],
  );
}
