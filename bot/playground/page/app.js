import { byId, h, once, sends, show, suggest } from "./dom.js";
import { act, follow, messages, state, unread, world } from "./live.js";
import { avatar, isLow, nameOf, showMessages } from "./messages.js";
import { closePane, openPane, showPane, togglePane } from "./panes.js";
import { showHome, showModal } from "./views.js";

const box = byId("box");
const log = byId("log");
let low = true; // whether the newest message is in sight

const wide = matchMedia("(min-width: 1000px)"); // else the pane lies over the messages

const address = (role, place) => `#${role}/${place}`;

/** Keep what somebody has begun to write somewhere, also over a reload. */
const keep = (text, where = address(state.role, state.place)) => sessionStorage.setItem(`draft ${where}`, text);
const kept = () => sessionStorage.getItem(`draft ${address(state.role, state.place)}`) ?? "";

const on = {
  act,
  link: (channel, seconds, micros) => {
    location.hash = address(state.role, channel);
    openPane("thread", on, { channel, ts: `${seconds}.${micros}` });
  },
  go: (role, place, text = "") => {
    if (text) keep(text, address(role, place));
    location.hash = address(role, place);
    if (!wide.matches) closePane();
    if (text) box.value = text;
    box.focus();
  },
  thread: (message) => openPane("thread", on, message),
  shortcut: ({ channel, ts }) => act("shortcut", { channel, ts }),
  inside: (message) => openPane("inside", on, message),
};

/** Show everything as it now is. */
function draw() {
  if (!world()) return;
  state.read.set(state.place, (Date.now() / 1000).toFixed(6));
  showSide();
  showHead();
  if (state.place === "home") showHome(log, on);
  else showMessages(log, messages(state.place), on);
  showModal(on);
  showPane(on);
}

/** Show who there is to be, and where there is to go. */
function showSide() {
  const { me, people, places } = world();
  const counts = places.map((each) => unread(each.id));
  const person = (each) => {
    const href = address(each.role, state.place === "home" ? "home" : "C0RELEASES");
    const words = h("span", {}, h("b", {}, each.name), h("small", {}, each.about));
    return h("a", { href, class: "person row", "aria-current": each.id === me && "true" }, avatar(each.id), words);
  };
  const place = (each) => {
    const count = counts[places.indexOf(each)];
    const about = { href: address(state.role, each.id), "aria-current": each.id === state.place && "page" };
    return h("a", { class: "place row", ...about }, [
      h("span", { class: "mark", "aria-hidden": "true" }, each.mark),
      h(count ? "b" : "span", {}, h("bdi", {}, each.name)),
      each.note && h("small", {}, each.note),
      count > 0 && h("b", { class: "count" }, `${count} new`),
    ]);
  };
  const group = (title) => [h("h2", {}, title), places.filter((each) => each.group === title).map(place)];
  const all = () => [h("h2", {}, "You are"), people.map(person), group("Channels"), group("Direct messages")];
  show(byId("side"), [world(), state.place, counts], all);
}

/** Show where one is, whether there is a message box, and how far the first minute is. */
function showHead() {
  const there = world().places.find((each) => each.id === state.place);
  const me = nameOf(world().me);
  const { title, about } = there ?? { title: "Not here", about: `${me} cannot look in here.` };
  show(byId("head"), [title, about], () => [h("h1", {}, h("bdi", {}, title)), h("p", { class: "soft" }, about)]);
  document.title = `${title} – ${me} – share-env playground`;
  byId("composer").hidden = !there || state.place === "home";
  box.placeholder = `Message ${title}, or type / for commands`;
  box.setAttribute("aria-label", `Message to ${title} as ${me}`);
  const done = state.parts.get("steps").filter((each) => each.done).length;
  document.querySelector("[data-pane=guide]").textContent = `First minute ${done}/5`;
  const { planned } = state.parts.get("wechat");
  document.querySelector("[data-pane=wechat]").textContent = planned ? `WeChat: ${planned} to come` : "WeChat";
  byId("language").ariaChecked = String(state.parts.get("language") === "zh-CN");
}

/** Come to another place, or be another person there. */
function arrive() {
  draw();
  if (state.place === "home") act("home");
  if (document.activeElement === document.body && matchMedia("(pointer: fine)").matches) box.focus();
}

function route() {
  const [role, place] = location.hash.slice(1).split("/");
  if (!place) return location.replace(address("requester", "C0RELEASES"));
  const another = state.role !== role;
  Object.assign(state, { role, place });
  byId("side").hidePopover();
  log.replaceChildren();
  box.value = kept();
  if (!another) return arrive();
  state.read = new Map();
  listen();
}

const listen = () => follow(arrive, draw);

function keys(event) {
  if (event.key === "Escape" && event.target !== box && !byId("modal").open) closePane();
  if (event.key === "/" && !event.target.matches("input,textarea,select")) {
    event.preventDefault();
    box.focus();
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!event.altKey || !step) return;
  event.preventDefault();
  const places = [...byId("side").querySelectorAll(".place")];
  const at = places.findIndex((each) => each.hasAttribute("aria-current"));
  location.hash = places.at((at + step) % places.length).hash;
}

const source = async (typed) => (/^\/[^\n]*$/.test(typed) ? (await act("complete", { typed })).offers ?? [] : []);
const offers = suggest(box, "Commands", source, (word) => {
  box.value = box.value.replace(/\S*$/, "") + word;
  box.dispatchEvent(new Event("input"));
});
byId("composer").prepend(offers);
sends(byId("composer"), box, (text) => act("say", { channel: state.place, text, thread: "" }));
box.addEventListener("input", () => keep(box.value));
log.addEventListener("scroll", () => (low = isLow(log)));
new ResizeObserver(() => low && (log.scrollTop = log.scrollHeight)).observe(log);
byId("language").addEventListener("click", ({ target }) => {
  byId("status").textContent = "The bot starts again, to speak another language in channels …";
  once(target, () => act("language", { language: target.ariaChecked === "true" ? "en" : "zh-CN" }));
});
byId("form").addEventListener("click", () => act("shortcut"));
for (const each of document.querySelectorAll("[data-pane]"))
  each.addEventListener("click", () => togglePane(each.dataset.pane, on));
addEventListener("keydown", keys);
addEventListener("hashchange", route);
document.addEventListener("visibilitychange", listen);
if (wide.matches) openPane("guide", on);
route();
