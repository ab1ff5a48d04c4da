import { blocks } from "./blocks.js";
import { button, h, show, soft } from "./dom.js";
import { world } from "./live.js";
import { mrkdwn } from "./mrkdwn.js";

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hour12: false });

export const nameOf = (id) => world().names[id] ?? id;

export function avatar(id) {
  if (id === world().bot) return h("img", { class: "avatar", src: "icon.svg", alt: "" });
  const node = h("span", { class: "avatar", "aria-hidden": "true" }, nameOf(id).slice(0, 1).toUpperCase());
  node.style.setProperty("--at", world().people.findIndex((each) => each.id === id));
  return node;
}

const focusFirst = ({ newState, target }) => newState === "open" && target.firstChild.focus();

/** Return what a message shows; `on` has what can be done: `act`, `link`, `thread`, `shortcut` and `inside`. */
function content(message, on, inThread) {
  const { channel, ts, replies, only } = message;
  const who = nameOf(message.user);
  const at = clock.format(Number(ts) * 1000);
  const act = (kind, block, element) =>
    on.act(kind, { channel, ts, block: block.block_id, action: element.action_id });
  const by = [
    h("b", {}, h("bdi", {}, who)),
    world().people.every((each) => each.id !== message.user) && h("small", { class: "card" }, "APP"),
    h("time", {}, at),
    message.edited && h("small", {}, "(edited)"),
  ];
  const text = () => h("div", { class: "text" }, mrkdwn(message.text, world().names, on.link));
  const count = `${replies} ${replies === 1 ? "reply" : "replies"}`;
  const body = [
    only && soft("👁 Only visible to you"),
    h("p", { class: "row" }, by),
    message.blocks.length ? blocks(message.blocks, { names: world().names, link: on.link, act }) : text(),
    replies > 0 && !inThread && button(count, () => on.thread(message), { class: "plain link" }),
  ];
  const menu = `menu-${inThread ? "thread" : "log"}-${ts}`;
  const item = (words, onclick, more) =>
    button(words, onclick, { class: "plain", popovertarget: menu, popovertargetaction: "hide", ...more });
  const tool = (sign, what, onclick, more) =>
    button(sign, onclick, { class: "plain", "aria-label": `${what} the message of ${who} at ${at}`, ...more });
  const tools = [
    tool("{}", "Look inside", () => on.inside(message)),
    !only && tool("⋯", "More actions for", null, { popovertarget: menu }),
    h("div", { id: menu, class: "menu card", popover: "auto", ontoggle: focusFirst }, [
      item("Share env in this thread", () => on.shortcut(message)),
      item("Reply in thread", () => on.thread(message), { hidden: inThread }),
    ]),
  ];
  return [avatar(message.user), h("div", { class: "body" }, body), h("div", { class: "tools row" }, tools)];
}

/** Tell whether the newest message is in sight. */
export const isLow = (log) => log.scrollHeight - log.scrollTop - log.clientHeight < 80;

/** Let a list show messages: only what changed is made anew. */
export function showMessages(log, list, on, inThread = false) {
  const old = new Map([...log.children].map((node) => [node.id, node]));
  const low = isLow(log);
  list.forEach((message, i) => {
    const id = `${inThread ? "reply" : "message"}-${message.ts}`;
    const node = old.get(id) ?? h("article", { id, class: message.only ? "message only" : "message" });
    show(node, message, () => content(message, on, inThread));
    if (log.children[i] !== node) log.insertBefore(node, log.children[i] ?? null);
  });
  while (log.children.length > list.length) log.lastChild.remove();
  if (low) log.scrollTop = log.scrollHeight;
}
