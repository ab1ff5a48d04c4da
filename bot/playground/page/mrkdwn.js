import { button, h } from "./dom.js";

const MARKS = /```\n?(?<fence>[\s\S]*?)\n?```|`(?<code>[^`\n]+)`|\*(?<bold>[^*\n]+)\*|<(?<ref>[^>\n]+)>/g;

const plain = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

/** Return Slack's markup as nodes; `names` says what ids are called, `link` follows an address of Slack. */
export function mrkdwn(text, names, link) {
  const nodes = [];
  let at = 0;
  for (const found of text.matchAll(MARKS)) {
    nodes.push(plain(text.slice(at, found.index)));
    at = found.index + found[0].length;
    const { fence, code, bold, ref } = found.groups;
    if (fence !== undefined) nodes.push(h("pre", {}, plain(fence)));
    else if (code) nodes.push(h("code", {}, plain(code)));
    else if (bold) nodes.push(h("b", {}, mrkdwn(bold, names, link)));
    else nodes.push(reference(ref, names, link));
  }
  nodes.push(plain(text.slice(at)));
  return nodes;
}

function reference(ref, names, link) {
  const [target, words] = ref.split("|");
  const { mark, id } = target.match(/^(?<mark>@|#|!subteam\^|!date|!|)(?<id>.*)/).groups;
  if (mark === "!date") return plain(words ?? target);
  if (mark === "!") return h("span", { class: "mention" }, `@${words ?? id}`);
  if (mark) return h("span", { class: "mention" }, mark === "#" ? "#" : "@", h("bdi", {}, names[id] ?? words ?? id));
  const inside = target.match(/\/archives\/(\w+)\/p(\d{10})(\d{6})/);
  if (inside) return button(plain(words ?? target), () => link(...inside.slice(1)), { class: "plain link" });
  if (!/^(https?|mailto):/.test(target)) return `<${plain(ref)}>`;
  return h("a", { href: plain(target), target: "_blank", rel: "noreferrer noopener" }, plain(words ?? target));
}
