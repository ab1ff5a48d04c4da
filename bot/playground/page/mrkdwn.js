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

const day = { month: "short", day: "numeric", year: "numeric" };
const FORMS = {
  date_num: { year: "numeric", month: "2-digit", day: "2-digit" },
  date: { ...day, month: "long" },
  date_short: day,
  date_long: { ...day, month: "long", weekday: "long" },
  time: { hour: "numeric", minute: "2-digit" },
  time_secs: { hour: "numeric", minute: "2-digit", second: "2-digit" },
};
const NEAR = { "-1": "yesterday", 0: "today", 1: "tomorrow" };

/** Return a date as Slack shows it, in the zone of the browser; null if that is no date. */
function date(told) {
  const [, seconds, form] = told.split("^");
  const at = new Date(seconds * 1000);
  if (!form || Number.isNaN(at.getTime())) return null;
  const days = Math.round((new Date(at).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 86_400_000);
  return form.replace(/{(\w+?)(_pretty)?}/g, (token, name, pretty) => {
    const near = pretty && NEAR[days];
    return near || (FORMS[name] ? new Intl.DateTimeFormat([], FORMS[name]).format(at) : token);
  });
}

function reference(ref, names, link) {
  const [target, words] = ref.split("|");
  const { mark, id } = target.match(/^(?<mark>@|#|!subteam\^|!date|!|)(?<id>.*)/).groups;
  if (mark === "!date") return date(id) ?? plain(words ?? target);
  if (mark === "!") return h("span", { class: "mention" }, `@${words ?? id}`);
  if (mark) return h("span", { class: "mention" }, mark === "#" ? "#" : "@", h("bdi", {}, names[id] ?? words ?? id));
  const inside = target.match(/\/archives\/(\w+)\/p(\d{10})(\d{6})/);
  if (inside) return button(plain(words ?? target), () => link(...inside.slice(1)), { class: "plain link" });
  if (!/^(https?|mailto):/.test(target)) return `<${plain(ref)}>`;
  return h("a", { href: plain(target), target: "_blank", rel: "noreferrer noopener" }, plain(words ?? target));
}
