import { byId } from "./dom.js";

/** What the page knows: the parts that the server sent, who looks on, where, and since when in each place. */
export const state = { parts: new Map(), role: "", place: "", read: new Map() };

export const world = () => state.parts.get("world");

/** Return the messages of a conversation, oldest first: those outside of threads, or those of one. */
export function messages(channel, thread = null) {
  const here = [...state.parts.values()].filter((part) => part?.ts && part.channel === channel);
  return here.filter((part) => part.thread === thread).sort((a, b) => (a.ts < b.ts ? -1 : 1));
}

/** Return how many messages of others there are in a conversation since one looked. */
export function unread(channel) {
  const since = state.read.get(channel) ?? "";
  const news = (part) => part?.ts > since && part.channel === channel && part.user !== world().me;
  return [...state.parts.values()].filter(news).length;
}

const LOST = "The demo does not answer. Start it again with: python -m bot demo";
let source = null;

/** Follow what somebody sees while they look, as a browser has six connections: first `arrived`, then `changed`. */
export function follow(arrived, changed) {
  source?.close();
  if (document.hidden) return;
  let told = arrived;
  source = new EventSource(`live?as=${state.role}`);
  source.onmessage = (event) => {
    for (const [key, part] of Object.entries(JSON.parse(event.data))) {
      if (part === null) state.parts.delete(key);
      else state.parts.set(key, part);
    }
    told();
    told = changed;
  };
  source.onopen = () => {
    state.parts = new Map(); // all of it is sent anew
    byId("status").textContent = "";
  };
  source.onerror = () => (byId("status").textContent = LOST);
}

/** Do something as the person who looks on, and return the answer; its `problem` is why nothing was done. */
export async function act(what, more) {
  const asked = { method: "POST", body: JSON.stringify({ do: what, ...more }) };
  const response = await fetch(`act?as=${state.role}`, asked).catch(() => null);
  const answer = response ? await response.json() : { problem: LOST };
  byId("status").textContent = answer.problem ?? "";
  return answer;
}
