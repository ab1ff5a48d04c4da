/** What the page knows: the parts that the server sent, who looks on, and where. */
export const state = { parts: new Map(), me: "", role: "", place: "", read: new Map(), pane: "" };

export const world = () => state.parts.get("world");

/** Return the messages of a conversation, oldest first: those outside of threads, or those of one. */
export function messages(channel, thread = null) {
  const found = [...state.parts.values()].filter((part) => part?.ts && part.channel === channel && part.thread === thread);
  return found.sort((a, b) => (a.ts < b.ts ? -1 : 1));
}

let source = null;

/** Follow what somebody sees; `changed` is told of each set of parts, `ended` whether the demo is out of reach. */
export function follow(role, changed, ended) {
  source?.close();
  state.parts = new Map();
  source = new EventSource(`live?as=${role}`);
  source.onmessage = (event) => {
    const news = JSON.parse(event.data);
    for (const [key, part] of Object.entries(news)) part === null ? state.parts.delete(key) : state.parts.set(key, part);
    state.me = world().me;
    changed(new Set(Object.keys(news)));
  };
  source.onopen = () => ended(false);
  source.onerror = () => ended(true);
}

/** Do something as the person who looks on, and return the answer; `problem` in it says why nothing was done. */
export async function act(what, more = {}) {
  try {
    const body = JSON.stringify({ do: what, ...more });
    const answer = await fetch(`act?as=${state.role}`, { method: "POST", body, headers: { "Content-Type": "application/json" } });
    return await answer.json();
  } catch {
    return { problem: "The demo does not answer. Start it again with: python -m bot demo" };
  }
}
