import { makeComposer, type } from "./composer.js";
import { byId } from "./dom.js";
import { doing, follow, messages, state, world } from "./live.js";
import { showMessages } from "./messages.js";
import { closePane, openPane, showPane } from "./panes.js";
import { address, showHead, showSide, showTools } from "./side.js";
import { showHome, showModal } from "./views.js";

const on = {
  act: doing,
  link: (place, seconds, micros) => {
    location.hash = address(state.role, place);
    openPane("thread", { channel: place, ts: `${seconds}.${micros}` });
  },
  go: (role, place, text = "") => {
    state.typing = text;
    if (location.hash !== address(role, place)) location.hash = address(role, place);
    else arrive();
  },
  thread: (message) => openPane("thread", message),
  shortcut: (message) => doing("shortcut", { channel: message.channel, ts: message.ts }),
  inside: (message) => openPane("inside", message),
};

/** Show everything anew; `keys` are the parts that changed, or nothing for all of them. */
function draw(keys = null) {
  if (!world()) return;
  const changed = (name) => !keys || keys.has(name);
  state.read.set(state.place, (Date.now() / 1000).toFixed(6));
  showSide();
  if (changed("world")) showHead();
  if (changed("steps")) showTools();
  if (state.place !== "home") showMessages(byId("log"), messages(state.place), on);
  else if (changed("home")) showHome(byId("log"), on);
  if (changed("modal")) showModal(byId("modal"), on);
  showPane(on, keys);
}

/** Come to another place, or be another person there. */
function arrive() {
  draw();
  if (!world()) return;
  byId("log").scrollTop = byId("log").scrollHeight;
  if (state.place === "home") doing("home");
  if (state.typing) type(state.typing);
  else if (document.activeElement === document.body && matchMedia("(pointer: fine)").matches) byId("box").focus();
  state.typing = "";
}

function route() {
  const [role, place] = location.hash.slice(1).split("/");
  if (!place) return location.replace(address("requester", "C0RELEASES"));
  const another = state.role !== role;
  Object.assign(state, { role, place });
  byId("side").classList.remove("open");
  byId("burger").setAttribute("aria-expanded", "false");
  byId("log").replaceChildren();
  if (!another) return arrive();
  state.read = new Map();
  let arrived = false;
  const news = (keys) => {
    if (arrived) return draw(keys);
    arrived = true;
    arrive();
  };
  follow(news, (lost) => document.body.classList.toggle("lost", lost));
}

function keys(event) {
  const typing = event.target.matches("input,textarea,select");
  if (event.key === "Escape" && !byId("modal").open) closePane();
  if (event.key === "/" && !typing) {
    event.preventDefault();
    byId("box").focus();
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!event.altKey || !step) return;
  event.preventDefault();
  const places = [...byId("side").querySelectorAll(".place")];
  const at = places.findIndex((each) => each.hasAttribute("aria-current"));
  location.hash = places.at((at + step) % places.length).hash;
}

makeComposer();
byId("burger").addEventListener("click", () => {
  const open = byId("side").classList.toggle("open");
  byId("burger").setAttribute("aria-expanded", String(open));
});
addEventListener("keydown", keys);
addEventListener("hashchange", route);
if (matchMedia("(min-width: 1000px)").matches) openPane("guide");
route();
