import { blocks } from "./blocks.js";
import { h, openMenu } from "./dom.js";
import { state, world } from "./live.js";
import { mrkdwn } from "./mrkdwn.js";

export const time = (ts) => new Date(Number(ts) * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });

export const nameOf = (id) => world().names[id] ?? id;

export function avatar(id) {
  if (id === world().bot) return h("img", { class: "avatar", src: "icon.svg", alt: "" });
  const at = world().people.findIndex((each) => each.id === id);
  return h("span", { class: "avatar", "data-person": at, "aria-hidden": "true" }, nameOf(id).slice(0, 1).toUpperCase());
}

/** Return a message as a node; `on` has what can be done: `act`, `link`, `thread`, `shortcut` and `inside`. */
export function messageNode(message, on, inThread = false) {
  const bot = message.user === world().bot;
  const who = nameOf(message.user);
  const shown = { names: world().names, people: world().people, link: on.link };
  const act = (kind, block, element, value) =>
    on.act(kind, { channel: message.channel, ts: message.ts, block: block.block_id, action: element.action_id, value });
  const content = message.blocks.length
    ? blocks(message.blocks, { ...shown, act, options: async () => [] })
    : h("div", { class: "section" }, h("div", { class: "text" }, mrkdwn(message.text, shown.names, on.link)));
  const stays = !message.only;
  const menu = [
    stays && !inThread && ["Reply in thread", () => on.thread(message)],
    stays && ["Share env in this thread", () => on.shortcut(message)],
    ["Look inside", () => on.inside(message)],
  ].filter(Boolean);
  const label = `More actions for the message of ${who} at ${time(message.ts)}`;
  return h(
    "article",
    { class: `message${message.only ? " only" : ""}`, "data-key": `${message.channel} ${message.ts}`, "data-request": message.request },
    avatar(message.user),
    h(
      "div",
      { class: "body" },
      message.only && h("p", { class: "mark" }, "👁 Only visible to you"),
      h(
        "p",
        { class: "by" },
        h("b", {}, h("bdi", {}, who)),
        (bot || message.user === "USLACKBOT") && h("span", { class: "app" }, "APP"),
        h("time", {}, time(message.ts)),
        message.edited && h("small", {}, "(edited)"),
      ),
      content,
      message.replies > 0 && !inThread &&
        h("button", { type: "button", class: "replies", onclick: () => on.thread(message) }, `${message.replies} ${message.replies === 1 ? "reply" : "replies"}`),
    ),
    h("button", { type: "button", class: "more", "aria-haspopup": "menu", "aria-label": label, onclick: (event) => openMenu(event.target, menu) }, "⋯"),
  );
}

/** Let a list show messages: only nodes whose message changed are made anew, and the focus stays where it was. */
export function showMessages(log, list, on, inThread = false) {
  const old = new Map([...log.children].map((node) => [node.dataset.key, node]));
  const low = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  const focused = log.contains(document.activeElement) ? document.activeElement : null;
  const [key, action] = [focused?.closest("article")?.dataset.key, focused?.dataset.action];
  const nodes = list.map((message) => {
    const json = JSON.stringify([message, inThread, world().names[message.user]]);
    const node = old.get(`${message.channel} ${message.ts}`);
    if (node?.json === json) return node;
    const made = messageNode(message, on, inThread);
    made.json = json;
    return made;
  });
  nodes.forEach((node, i) => log.children[i] !== node && log.insertBefore(node, log.children[i] ?? null));
  while (log.children.length > nodes.length) log.lastChild.remove();
  if (focused && !log.contains(focused) && key) {
    const again = nodes.find((node) => node.dataset.key === key);
    (again?.querySelector(`[data-action="${action}"]`) ?? again?.querySelector(".more") ?? log).focus();
  }
  if (low) log.scrollTop = log.scrollHeight;
}

export const unread = (channel) =>
  [...state.parts.values()].filter(
    (part) => part?.ts && part.channel === channel && part.user !== state.me && part.ts > (state.read.get(channel) ?? ""),
  ).length;
