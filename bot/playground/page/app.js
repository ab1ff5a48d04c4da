import { byId, h, keepMenu, suggest } from "./dom.js";
import { act, follow, messages, state, world } from "./live.js";
import { avatar, nameOf, showMessages, unread } from "./messages.js";
import { showHome, showModal } from "./views.js";
import { closePane, openPane, paneOf, showPane } from "./panes.js";

const MARKS = { public: "#", private: "🔒", im: "●", mpim: "●" };

const channel = () => world().channels.find((each) => each.id === state.place);
const here = (role, place) => `#${role}/${place}`;

/** Say something for a moment, to the eye and to a screen reader. */
export function say(words) {
  const status = byId("status");
  status.textContent = words;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (status.textContent = ""), 8000);
}

export async function doing(what, more) {
  const answer = await act(what, more);
  if (answer.problem) say(answer.problem);
  return answer;
}

const on = {
  act: doing,
  link: (place, seconds, micros) => {
    location.hash = here(state.role, place);
    openPane("thread", { channel: place, ts: `${seconds}.${micros}` });
  },
  thread: (message) => openPane("thread", message),
  shortcut: (message) => doing("shortcut", { channel: message.channel, ts: message.ts }),
  inside: (message) => openPane("inside", message),
};

/** Put words into the message box, as somebody and somewhere. */
export function type(text, role, place) {
  const there = here(role, place);
  const put = () => {
    const box = byId("box");
    box.value = text;
    box.dispatchEvent(new Event("change"));
    box.focus();
  };
  if (location.hash === there) return put();
  location.hash = there;
  addEventListener("placed", put, { once: true });
}

function sidebar() {
  const { people, channels, app, bot } = world();
  const person = (each) =>
    h("a", { href: here(each.role, state.place === "home" ? "home" : "C0RELEASES"), "aria-current": each.id === state.me ? "true" : null, class: "person" },
      avatar(each.id), h("span", {}, h("b", {}, each.name), h("small", {}, each.about)));
  const place = (id, mark, name, many = 0, more = "") =>
    h("a", { href: here(state.role, id), "aria-current": state.place === id ? "page" : null, class: many ? "place new" : "place" },
      h("span", { class: "glyph", "aria-hidden": "true" }, mark), h("bdi", {}, name), more && h("small", {}, more),
      many > 0 && h("span", { class: "count" }, many, h("span", { class: "unseen" }, " new")));
  const row = (each) => place(each.id, MARKS[each.kind], each.name, unread(each.id), each.shared ? "shared" : each.archived ? "archived" : "");
  const direct = channels.filter((each) => each.kind === "im" && each.id !== app);
  byId("side").replaceChildren(
    h("h2", {}, "You are"),
    h("div", { class: "people" }, people.map(person)),
    h("h2", {}, "Channels"),
    channels.filter((each) => each.kind !== "im").map(row).reduce((all, each) => (all.append(each), all), h("div")),
    h("h2", {}, "Direct messages"),
    h("div", {}, app && place(app, "☁", nameOf(bot), unread(app), "app"), app && place("home", "⌂", "Home", 0, nameOf(bot)), direct.map(row)),
  );
}

function head() {
  const there = channel();
  const home = state.place === "home";
  const title = home ? `${nameOf(world().bot)} · Home` : there ? `${there.kind === "im" ? "" : MARKS[there.kind] + " "}${there.name}` : "Not here";
  const about = home
    ? "The bot's own page, which only you see"
    : !there
      ? `${nameOf(state.me)} cannot look in here. Choose another place.`
      : [
          { public: "public channel", private: "private channel", im: "direct message", mpim: "group" }[there.kind],
          there.bot ? "share-env is here" : "share-env was not invited",
          there.archived && "archived", there.read_only && "read-only", there.shared && "shared with another organisation",
        ].filter(Boolean).join(" · ");
  byId("head").replaceChildren(h("h1", {}, h("bdi", {}, title)), h("p", {}, about));
  document.title = `${title} – ${nameOf(state.me)} – share-env playground`;
  byId("composer").hidden = home || !there;
  const box = byId("box");
  box.placeholder = there ? `Message ${title}, or type / for commands` : "";
  box.setAttribute("aria-label", `Message to ${title} as ${nameOf(state.me)}`);
}

function tools() {
  const done = state.parts.get("steps").filter((each) => each.done).length;
  const tool = (name, words) =>
    h("button", { type: "button", "aria-pressed": String(paneOf() === name), onclick: () => (paneOf() === name ? closePane() : openPane(name)) }, words);
  byId("tools").replaceChildren(
    tool("guide", `First minute ${done}/5`), tool("wechat", "WeChat"), tool("policy", "Policy"),
    h("a", { href: "transcript.txt", download: "share-env-demo.txt", title: "Plays again with: python -m bot demo --script FILE" }, "Save script"),
  );
}

/** Show everything anew; `keys` are the parts that changed, or nothing for all of them. */
export function draw(keys = null) {
  if (!world()) return;
  const changed = (name) => !keys || keys.has(name);
  const log = byId("log");
  state.read.set(state.place, messages(state.place).at(-1)?.ts ?? "");
  for (const part of state.parts.values()) if (part?.ts > state.read.get(state.place) && part.channel === state.place) state.read.set(state.place, part.ts);
  if (!byId("side").contains(document.activeElement) || changed("world")) sidebar();
  if (changed("world")) head();
  if (changed("steps")) tools();
  if (state.place === "home") (!keys || changed("home")) && showHome(log, on);
  else showMessages(log, messages(state.place), on);
  if (changed("modal")) showModal(byId("modal"), on);
  showPane(on, keys);
}

async function offers(typed) {
  if (!typed.startsWith("/") || typed.includes("\n")) return [];
  return ((await act("complete", { typed })).offers ?? []).map(([label, about]) => ({ label, about }));
}

function composer() {
  const box = h("textarea", { id: "box", rows: 1, autocomplete: "off", spellcheck: "false" });
  const list = h("ul", { id: "offers", role: "listbox", class: "offers", hidden: true, "aria-label": "Commands" });
  const send = h("button", { type: "submit", class: "button primary" }, "Send");
  const form = h("button", { type: "button", class: "button", title: "The shortcut “Share an env”", "aria-label": "Open the form to share an env", onclick: () => doing("shortcut") }, "⚡");
  const fit = () => ((box.style.height = "auto"), (box.style.height = `${Math.min(box.scrollHeight + 2, 180)}px`));
  box.addEventListener("input", fit);
  box.addEventListener("change", fit);
  suggest(box, list, offers, (choice) => ((box.value = box.value.replace(/\S*$/, "") + choice.label + " "), box.dispatchEvent(new Event("input"))));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) (event.preventDefault(), byId("composer").requestSubmit());
  });
  byId("composer").append(list, form, box, send);
  byId("composer").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = box.value;
    if (!text.trim()) return;
    box.value = "";
    list.hidden = true;
    fit();
    const answer = await doing("say", { channel: state.place, text, thread: "" });
    if (answer.problem && !box.value) box.value = text;
  });
}

function route() {
  const [role, place] = location.hash.slice(1).split("/");
  if (!place) return location.replace(here("requester", "C0RELEASES"));
  const another = state.role !== role;
  Object.assign(state, { role, place });
  byId("side").classList.remove("open");
  byId("burger").setAttribute("aria-expanded", "false");
  byId("log").replaceChildren();
  if (another) {
    state.read = new Map();
    follow(role, changed, (lost) => document.body.classList.toggle("lost", lost));
  } else arrive();
}

function arrive() {
  draw();
  byId("log").scrollTop = byId("log").scrollHeight;
  if (state.place === "home") doing("home");
  dispatchEvent(new Event("placed"));
}

let arrived = "";

function changed(keys) {
  if (arrived !== state.role) {
    arrived = state.role;
    return arrive();
  }
  draw(keys);
}

function keys(event) {
  const typing = event.target.matches("input,textarea,select");
  if (event.key === "/" && !typing) (event.preventDefault(), byId("box").focus());
  if (event.key === "Escape" && !byId("modal").open) closePane();
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!event.altKey || !step) return;
  const places = [...byId("side").querySelectorAll(".place")];
  const at = places.findIndex((each) => each.hasAttribute("aria-current"));
  location.hash = places.at((at + step) % places.length).hash;
  event.preventDefault();
}

keepMenu();
composer();
byId("burger").addEventListener("click", () => {
  const open = byId("side").classList.toggle("open");
  byId("burger").setAttribute("aria-expanded", String(open));
});
addEventListener("keydown", keys);
addEventListener("hashchange", route);
if (matchMedia("(min-width: 1000px)").matches) openPane("guide");
route();
