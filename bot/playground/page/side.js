import { button, byId, h } from "./dom.js";
import { state, unread, world } from "./live.js";
import { avatar, nameOf } from "./messages.js";
import { closePane, openPane } from "./panes.js";

export const address = (role, place) => `#${role}/${place}`;

let shown = "";

/** Show who there is to be and where there is to go; nothing is touched unless something changed. */
export function showSide() {
  const side = byId("side");
  const { people, channels, app, bot } = world();
  const places = channels.filter((each) => each.id !== app);
  const counts = Object.fromEntries(channels.map((each) => [each.id, unread(each.id)]));
  const news = JSON.stringify([world(), state.place, counts]);
  if (news === shown) return;
  shown = news;
  const held = side.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const person = (each) => {
    const href = address(each.role, state.place === "home" ? "home" : "C0RELEASES");
    const words = h("span", {}, h("b", {}, each.name), h("small", {}, each.about));
    return h("a", { href, class: "person", "aria-current": each.id === state.me && "true" }, avatar(each.id), words);
  };
  const place = (id, mark, name, note) => {
    const many = counts[id] ?? 0;
    const count = many > 0 && h("span", { class: "count" }, many, h("span", { class: "unseen" }, " new"));
    const about = { class: many ? "place new" : "place", "aria-current": state.place === id && "page" };
    const glyph = h("span", { class: "glyph", "aria-hidden": "true" }, mark);
    return h("a", { href: address(state.role, id), ...about }, glyph, h("bdi", {}, name), h("small", {}, note), count);
  };
  const row = (each) => place(each.id, each.mark, each.name, each.note);
  const rows = (direct) => places.filter((each) => (each.kind === "im") === direct).map(row);
  side.replaceChildren(
    ...[h("h2", {}, "You are"), people.map(person), h("h2", {}, "Channels"), rows(false)].flat(),
    ...[h("h2", {}, "Direct messages"), app && place(app, "☁", nameOf(bot), "app")].filter(Boolean),
    ...[app && place("home", "⌂", "Home", nameOf(bot)), rows(true)].flat().filter(Boolean),
  );
  if (held) side.querySelector(`[href="${held}"]`)?.focus();
}

/** Show where one is, and whether there is a message box. */
export function showHead() {
  const there = world().channels.find((each) => each.id === state.place);
  const home = state.place === "home";
  const [me, bot] = [nameOf(state.me), nameOf(world().bot)];
  const title = home ? `${bot} · Home` : there?.title ?? "Not here";
  const about = home ? "The bot's own page, which only you see" : there?.about ?? `${me} cannot look in here.`;
  byId("head").replaceChildren(h("h1", {}, h("bdi", {}, title)), h("p", {}, about));
  document.title = `${title} – ${me} – share-env playground`;
  byId("composer").hidden = home || !there;
  byId("box").placeholder = `Message ${title}, or type / for commands`;
  byId("box").setAttribute("aria-label", `Message to ${title} as ${me}`);
}

export function showTools() {
  const done = state.parts.get("steps").filter((each) => each.done).length;
  const tool = (name, words) => {
    const toggle = () => (state.pane === name ? closePane() : openPane(name));
    return button(words, toggle, { class: "", "data-pane": name, "aria-pressed": String(state.pane === name) });
  };
  const saved = { href: "transcript.txt", download: "share-env-demo.txt", title: "For: bot demo --script FILE" };
  byId("tools").replaceChildren(
    ...[tool("guide", `First minute ${done}/5`), tool("wechat", "WeChat"), tool("policy", "Policy")],
    h("a", saved, "Save script"),
  );
}
