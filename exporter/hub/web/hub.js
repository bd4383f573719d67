// Draws the page of the hub from the JSON API every few seconds.

import { makeChart, nextDay, showForecast } from "./charts.js";
import { ask, follow } from "./feed.js";
import { $, add, fillBars, fillSources, keyed, setAside, setTag, setText, showNotice } from "./page.js";
import { UNKNOWN, date, duration, energy, grams, hours, percent, plain, whole } from "./words.js";

const EVERY_MS = 5000;

const OUTCOMES = {
  "": "not asked yet",
  ok: "ok",
  stale: "answers with an old value",
  unavailable: "does not answer",
  throttled: "wants to be asked less",
  denied: "refuses the token or the zone",
  not_covered: "does not know the zone",
  nonsense: "answers with something unexpected",
  implausible: "tells what cannot be",
  failed: "failed here; see the log",
};
const WELL = new Set(["", "ok"]);

// --- zones ---------------------------------------------------------------------

function zoneNote(answer) {
  const factors = answer.factors ? `, ${answer.factors} factors` : "";
  const age = answer.age_s === null ? "" : `, ${duration(answer.age_s)} old`;
  switch (answer.fallback_level) {
    case 0:
      return `Live from ${answer.provider}${factors}${age}.`;
    case 1:
      return `Last good value of ${answer.provider}${factors}${age}: nobody tells a newer one. It stands in until ${hours(answer.valid_until_unix_s)}.`;
    case 2:
      return `Yearly figure (${answer.provider}${factors}): nobody tells a live one.`;
    default:
      return `Yearly figure of the world (${answer.provider}${factors}): nothing is known of this zone.`;
  }
}

const charts = new WeakMap();

function makeZone() {
  const section = document.createElement("section");
  section.className = "zone card";
  add(section, "h2");
  const figure = add(section, "p", "figure");
  add(figure, "span", "value");
  setText(add(figure, "span", "unit"), "g CO₂e per kWh");
  add(section, "p", "prose");
  add(section, "p", "note");
  charts.set(section, makeChart(add(section, "figure", "chart small")));
  return section;
}

const perKwh = (value) => `${plain.format(value)} g`;

function drawZone(section, answer) {
  const title = section.querySelector("h2");
  setText(title, answer.zone);
  title.id = `zone-${answer.zone}`;
  section.setAttribute("aria-labelledby", title.id);
  setText(section.querySelector(".value"), plain.format(answer.intensity_g_per_kwh));
  const tags = [];
  if (answer.fallback_level > 0) tags.push("fallback");
  if (answer.estimated) tags.push("estimated");
  setTag(section.querySelector(".figure"), tags.join(", "), tags[0]);
  setText(section.querySelector(".prose"), zoneNote(answer));
  const marginal = answer.marginal;
  const note = section.querySelector(".note");
  note.hidden = marginal === null;
  setText(note, marginal === null ? ""
    : `One kilowatt-hour more: ${plain.format(marginal.intensity_g_per_kwh)} g (${marginal.provider}), advice only.`);
  const slots = nextDay(answer.forecast, answer.unix_s);
  showForecast(charts.get(section), slots, { nowUnixS: answer.unix_s, zone: answer.zone, format: perKwh });
}

// --- budgets ---------------------------------------------------------------------

function amount(value, unit) {
  if (value === null) return UNKNOWN;
  if (unit === "grams") return grams(value);
  if (unit === "joules") return energy(value);
  return `${whole.format(value)} ${unit}`;
}

function drawBudgets(answer) {
  const budgets = answer.budgets;
  $("budgets-part").hidden = budgets.length === 0;
  fillBars($("budgets"), budgets.map((budget) => {
    const over = budget.spent_ratio !== null && budget.spent_ratio > 1;
    const soon = budget.projected_ratio !== null && budget.projected_ratio > 1;
    const more = [`${amount(budget.spent, budget.unit)} of ${amount(budget.amount, budget.unit)}`];
    if (budget.projected_ratio !== null) more.push(`${percent(budget.projected_ratio)} expected`);
    // Of a rolling period the end is always now.
    const ends = budget.period_end_unix_s;
    more.push(ends !== null && ends > answer.unix_s ? `${budget.period} until ${date(ends)}` : `per ${budget.period}`);
    if (budget.spent !== null) more.push(`${percent(budget.data_quality)} on live and complete data`);
    return {
      key: budget.name, name: budget.name, side: budget.team, value: percent(budget.spent_ratio),
      ratio: budget.spent_ratio, more: more.join(" · "),
      tag: over ? "overspent" : soon ? "will be overspent" : "", kind: over || soon ? "fault" : undefined,
    };
  }));
  const note = answer.error ? `Prometheus cannot be read: ${answer.error}`
    : answer.catching_up ? "The past of some budgets is still being read." : "";
  showNotice("budgets-note", note);
}

// --- providers -------------------------------------------------------------------

function drawProviders(hub) {
  const rank = (feed) => (WELL.has(feed.outcome) ? 1 : 0);
  const feeds = [...hub.feeds].sort((a, b) => rank(a) - rank(b));
  fillSources($("providers"), feeds.map((feed) => {
    const more = [feed.zones.join(", ")];
    if (feed.failures > 1) more.push(`${whole.format(feed.failures)} times in a row`);
    const wait = feed.next_unix_s - hub.unix_s;
    more.push(wait < 1 ? "is being asked" : `asked again in ${duration(wait)}`);
    return {
      key: `${feed.provider} ${feed.is_forecast} ${feed.zones.join(" ")}`,
      name: feed.is_forecast ? `${feed.provider}, forecast` : feed.provider,
      state: OUTCOMES[feed.outcome] ?? feed.outcome,
      up: feed.outcome === "ok", fault: !WELL.has(feed.outcome),
      more: more.join(" · "), message: feed.error,
    };
  }));
  const well = feeds.filter((feed) => feed.outcome === "ok").length;
  setAside($("providers-title"), feeds.length ? `${well} of ${feeds.length} ok` : "");
  showNotice("providers-empty", feeds.length ? "" : "Nobody is asked: the zones have their yearly figures.");
}

// --- the loop ----------------------------------------------------------------------

let last = null;

function show([hub, budgets]) {
  last = hub;
  keyed($("zones"), hub.zones, (answer) => answer.zone, makeZone, drawZone);
  drawBudgets(budgets);
  drawProviders(hub);
  $("refused").hidden = !hub.reload_refused;
  document.title = `${hub.zones.map((answer) => `${answer.zone} ${plain.format(answer.intensity_g_per_kwh)}`).join(" · ")} · jouled hub`;
  setText($("about"), `jouled ${hub.version} · for ${duration(hub.unix_s - hub.started_unix_s)}`);
  return null;
}

follow({
  everyMs: EVERY_MS,
  who: "hub",
  ask: () => Promise.all([ask("api/v1/hub"), ask("api/v1/budgets")]),
  show,
  sinceUnixS: () => last?.unix_s ?? null,
});
