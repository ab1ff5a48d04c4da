import { blocks } from "./blocks.js";
import { button, h, openMenu, small } from "./dom.js";
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

/** Return a message as a node; `on` has what can be done: `act`, `link`, `thread`, `shortcut` and `inside`. */
function messageNode(message, on, inThread) {
  const { channel, ts, replies, only } = message;
  const who = nameOf(message.user);
  const at = clock.format(Number(ts) * 1000);
  const act = (kind, block, element, value) =>
    on.act(kind, { channel, ts, block: block.block_id, action: element.action_id, value });
  const reply = ["Reply in thread", () => on.thread(message)];
  const menu = [...(inThread ? [] : [reply]), ["Share env in this thread", () => on.shortcut(message)]];
  const tool = (sign, what, onclick, more = {}) =>
    button(sign, onclick, { class: "more", "aria-label": `${what} the message of ${who} at ${at}`, ...more });
  const by = [
    h("b", {}, h("bdi", {}, who)),
    world().people.every((each) => each.id !== message.user) && h("span", { class: "app" }, "APP"),
    h("time", {}, at),
    message.edited && h("small", {}, "(edited)"),
  ];
  const tools = [
    tool("{}", "Look inside", () => on.inside(message)),
    !only && tool("⋯", "More actions for", (event) => openMenu(event.target, menu), { "aria-haspopup": "menu" }),
  ];
  const plain = () => h("div", { class: "text" }, mrkdwn(message.text, world().names, on.link));
  const count = `${replies} ${replies === 1 ? "reply" : "replies"}`;
  const body = [
    only && small("👁 Only visible to you"),
    h("p", { class: "by" }, by),
    message.blocks.length ? blocks(message.blocks, { names: world().names, link: on.link, act }) : plain(),
    replies > 0 && !inThread && button(count, () => on.thread(message), { class: "replies" }),
  ];
  return h(
    "article",
    { class: only ? "message only" : "message", "data-key": `${channel} ${ts}` },
    ...[avatar(message.user), h("div", { class: "body" }, body)],
    h("div", { class: "tools" }, tools),
  );
}

/** Let a list show messages: only nodes whose message changed are made anew, and the focus stays where it was. */
export function showMessages(log, list, on, inThread = false) {
  const old = new Map([...log.children].map((node) => [node.dataset.key, node]));
  const low = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  const focused = log.contains(document.activeElement) ? document.activeElement : null;
  const [key, action] = [focused?.closest("article")?.dataset.key, focused?.dataset.action];
  const nodes = list.map((message) => {
    const json = JSON.stringify([message, inThread]);
    const node = old.get(`${message.channel} ${message.ts}`);
    return node?.json === json ? node : Object.assign(messageNode(message, on, inThread), { json });
  });
  nodes.forEach((node, i) => log.children[i] !== node && log.insertBefore(node, log.children[i] ?? null));
  while (log.children.length > nodes.length) log.lastChild.remove();
  if (focused && !log.contains(focused)) {
    const again = nodes.find((node) => node.dataset.key === key);
    (again?.querySelector(`[data-action="${action}"]`) ?? again?.querySelector(".more") ?? log).focus();
  }
  if (low) log.scrollTop = log.scrollHeight;
}
