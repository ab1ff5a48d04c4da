import { byId } from "./dom.js";

/** What the page knows: the parts that the server sent, who looks on, where, and what is open beside it. */
export const state = { parts: new Map(), me: "", role: "", place: "", read: new Map(), pane: "", typing: "" };

export const world = () => state.parts.get("world");

/** Return the messages of a conversation, oldest first: those outside of threads, or those of one. */
export function messages(channel, thread = null) {
  const here = [...state.parts.values()].filter((part) => part?.ts && part.channel === channel);
  return here.filter((part) => part.thread === thread).sort((a, b) => (a.ts < b.ts ? -1 : 1));
}

/** Return how many messages of others there are in a conversation since one looked. */
export function unread(channel) {
  const since = state.read.get(channel) ?? "";
  const news = (part) => part?.ts > since && part.channel === channel && part.user !== state.me;
  return [...state.parts.values()].filter(news).length;
}

let source = null;

/** Follow what somebody sees; `changed` is told of each set of parts, `ended` whether the demo is out of reach. */
export function follow(changed, ended) {
  source?.close();
  source = new EventSource(`live?as=${state.role}`);
  source.onmessage = (event) => {
    const news = JSON.parse(event.data);
    for (const [key, part] of Object.entries(news)) {
      if (part === null) state.parts.delete(key);
      else state.parts.set(key, part);
    }
    state.me = world().me;
    changed(new Set(Object.keys(news)));
  };
  source.onopen = () => {
    state.parts = new Map(); // all of it is sent anew
    ended(false);
  };
  source.onerror = () => ended(true);
}

/** Do something as the person who looks on, and return the answer; `problem` in it says why nothing was done. */
export async function act(what, more = {}) {
  const body = JSON.stringify({ do: what, ...more });
  const headers = { "Content-Type": "application/json" };
  try {
    return await (await fetch(`act?as=${state.role}`, { method: "POST", body, headers })).json();
  } catch {
    return { problem: "The demo does not answer. Start it again with: python -m bot demo" };
  }
}

let timer = 0;

/** Do something, and say for a moment, to the eye and to a screen reader, why nothing was done. */
export async function doing(what, more) {
  const answer = await act(what, more);
  if (answer.problem) {
    byId("status").textContent = answer.problem;
    clearTimeout(timer);
    timer = setTimeout(() => (byId("status").textContent = ""), 8000);
  }
  return answer;
}
