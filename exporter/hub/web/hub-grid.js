// How dirty the grid is, now and ahead, and what is left of the budgets.

import { makeChart } from "./charts.js";
import { nextDay, showForecast } from "./forecast.js";
import { $, add, fillBars, keyed, setAside, setTag, setText, showNotice } from "./page.js";
import { UNKNOWN, date, duration, energy, grams, hours, percent, plain, whole } from "./words.js";

// Of more zones than that the first ones are shown, those of nodes before others.
const MOST_ZONES = 4;
// Of more budgets those in trouble come first, and the rest is counted.
const MOST_BUDGETS = 12;

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

/** Say when it is greenest, and what that is worth. */
export function greenestNote(answer) {
  const { greenest, unix_s: now } = answer;
  if (greenest === null) return "";
  const value = greenest.intensity_g_per_kwh;
  const when = greenest.begin_unix_s - now < 60 ? `now, until ${hours(greenest.end_unix_s)}`
    : `${hours(greenest.begin_unix_s)} to ${hours(greenest.end_unix_s)}, in ${duration(greenest.begin_unix_s - now)}`;
  const change = answer.intensity_g_per_kwh > 0 ? 1 - value / answer.intensity_g_per_kwh : 0;
  const worth = change > 0.01 ? `, ${percent(change)} less than now` : change < -0.01 ? ", and now is cleaner still" : "";
  return `Greenest 4 hours: ${when}; ${plain.format(value)} g on average${worth}.`;
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
  add(section, "p", "greenest");
  charts.set(section, makeChart(add(section, "figure", "chart small")));
  add(section, "p", "note");
  return section;
}

const perKwh = (value) => `${plain.format(value)} g`;

function drawZone(section, answer) {
  const title = section.querySelector("h2");
  setText(title, `Grid ${answer.zone}`);
  title.id = `zone-${answer.zone}`;
  section.setAttribute("aria-labelledby", title.id);
  setText(section.querySelector(".value"), plain.format(answer.intensity_g_per_kwh));
  const tags = [];
  if (answer.fallback_level > 0) tags.push("fallback");
  if (answer.estimated) tags.push("estimated");
  setTag(section.querySelector(".figure"), tags.join(", "), tags[0]);
  setText(section.querySelector(".prose"), zoneNote(answer));
  const greenest = section.querySelector(".greenest");
  setText(greenest, greenestNote(answer));
  greenest.hidden = !greenest.textContent;
  const { marginal } = answer;
  const note = section.querySelector(".note");
  note.hidden = marginal === null;
  setText(note, marginal === null ? ""
    : `One kilowatt-hour more: ${plain.format(marginal.intensity_g_per_kwh)} g (${marginal.provider}), advice only.`);
  const slots = nextDay(answer.forecast, answer.unix_s, answer.greenest);
  showForecast(charts.get(section), slots, { nowUnixS: answer.unix_s, zone: answer.zone, format: perKwh });
}

export function drawZones(hub, overview) {
  const ofNodes = new Set(overview.zones.map(({ zone }) => zone.toUpperCase()));
  const rank = ({ zone }) => (ofNodes.has(zone.toUpperCase()) ? 0 : 1);
  const zones = [...hub.zones].sort((a, b) => rank(a) - rank(b));
  const shown = zones.slice(0, MOST_ZONES);
  $("page").dataset.zones = String(shown.length);
  keyed($("zones"), shown, ({ zone }) => zone, makeZone, drawZone);
  const rest = zones.length - shown.length;
  if (rest > 0) setAside($("zones").lastElementChild.querySelector("h2"), `and ${rest} more at api/v1/hub`);
}

// --- budgets ---------------------------------------------------------------------

function amount(value, unit) {
  if (value === null) return UNKNOWN;
  if (unit === "grams") return grams(value);
  if (unit === "joules") return energy(value);
  return `${whole.format(value)} ${unit}`;
}

function standing(budget) {
  if (budget.spent_ratio === null) return ["", undefined];
  if (budget.spent_ratio > 1) return ["overspent", "fault"];
  if (budget.projected_ratio !== null && budget.projected_ratio > 1) return ["will be overspent", "fault"];
  return budget.projected_ratio === null ? ["", undefined] : ["on track", "measured"];
}

function budgetItem(budget, nowUnixS) {
  const more = [`${amount(budget.spent, budget.unit)} of ${amount(budget.amount, budget.unit)}`];
  if (budget.projected_ratio !== null) more.push(`${percent(budget.projected_ratio)} expected`);
  // Of a rolling period the end is always now.
  const ends = budget.period_end_unix_s;
  more.push(ends !== null && ends > nowUnixS ? `${budget.period} until ${date(ends)}` : `per ${budget.period}`);
  if (budget.spent !== null && budget.data_quality < 0.995) {
    more.push(`${percent(budget.data_quality)} on live and complete data`);
  }
  const [tag, kind] = standing(budget);
  return {
    key: budget.name, name: budget.name, side: budget.team, value: percent(budget.spent_ratio),
    ratio: budget.spent_ratio, more: more.join(" · "), tag, kind,
  };
}

/** Show the budgets; return what needs somebody. */
export function drawBudgets(answer) {
  const { budgets } = answer;
  const isOver = (budget) => standing(budget)[1] === "fault";
  const over = budgets.filter(isOver);
  const many = budgets.length > MOST_BUDGETS;
  const shown = many ? [...over, ...budgets.filter((budget) => !isOver(budget))].slice(0, MOST_BUDGETS) : budgets;
  fillBars($("budgets"), shown.map((budget) => budgetItem(budget, answer.unix_s)));
  setText($("budgets-more"), many ? `and ${whole.format(budgets.length - shown.length)} more at api/v1/budgets` : "");
  const note = answer.error ? `Prometheus cannot be read: ${answer.error}. The budgets stay as they were.`
    : answer.catching_up ? "The past of some budgets is still being read." : "";
  showNotice("budgets-note", note);
  $("budgets-note").classList.toggle("trouble", Boolean(answer.error));
  setAside($("budgets-title"), over.length ? `${over.length} of ${budgets.length} in trouble` : "");
  showNotice("budgets-empty", budgets.length ? ""
    : "There are none. Add budgets to the hub's file to see what teams have left, and to be warned in time.");
  return over.map((budget) => ({ text: `budget ${budget.name}: ${standing(budget)[0]}`, to: "budgets-title" }));
}
