import { h } from "./dom.js";

const MARKS =
  /```\n?(?<fence>[\s\S]*?)\n?```|`(?<code>[^`\n]+)`|\*(?<bold>[^*\n]+)\*|(?<![\w])_(?<em>[^_\n]+)_(?!\w)|~(?<del>[^~\n]+)~|<(?<ref>[^>\n]+)>/g;

const plain = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

/** Return Slack's markup as nodes; `names` says what ids are called, `link` follows an address of Slack. */
export function mrkdwn(text, names, link) {
  const nodes = [];
  let at = 0;
  for (const found of text.matchAll(MARKS)) {
    nodes.push(plain(text.slice(at, found.index)));
    at = found.index + found[0].length;
    const { fence, code, bold, em, del, ref } = found.groups;
    const inner = (part) => mrkdwn(part, names, link);
    if (fence !== undefined) nodes.push(h("pre", {}, plain(fence)));
    else if (code) nodes.push(h("code", {}, plain(code)));
    else if (bold) nodes.push(h("b", {}, inner(bold)));
    else if (em) nodes.push(h("em", {}, inner(em)));
    else if (del) nodes.push(h("s", {}, inner(del)));
    else nodes.push(reference(ref, names, link));
  }
  nodes.push(plain(text.slice(at)));
  return nodes;
}

function reference(ref, names, link) {
  const [target, words] = ref.split("|");
  const mark = target.slice(0, 1);
  const id = target.replace(/^(@|#|!subteam\^)/, "");
  if (mark === "@" || target.startsWith("!subteam"))
    return h("span", { class: "mention" }, "@", h("bdi", {}, names[id] ?? words ?? id));
  if (mark === "#") return h("span", { class: "mention" }, "#", h("bdi", {}, names[id] ?? words ?? id));
  if (target.startsWith("!date")) return plain(words ?? target);
  if (mark === "!") return h("span", { class: "mention" }, `@${words ?? target.slice(1)}`);
  const inside = target.match(/\/archives\/(\w+)\/p(\d{10})(\d{6})/);
  if (inside) return h("button", { type: "button", class: "link", onclick: () => link(...inside.slice(1)) }, plain(words ?? target));
  if (!/^(https?|mailto):/.test(target)) return `<${plain(ref)}>`;
  return h("a", { href: plain(target), target: "_blank", rel: "noreferrer noopener" }, plain(words ?? target));
}
