// Draws the page of the hub from the JSON API every few seconds; see common.js.
"use strict";

const EVERY_MS = 5000;
const AHEAD_S = 86400;

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

const hours = (unixS) => new Date(unixS * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

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

function makeZone() {
  const section = document.createElement("section");
  section.className = "zone";
  add(section, "h2");
  const figure = add(section, "p", "figure small");
  add(figure, "span", "value");
  setText(add(figure, "span", "unit"), "g CO₂e per kWh");
  add(section, "p", "prose");
  add(section, "p", "note");
  const chart = add(section, "figure", "chart");
  const svg = draw("svg", { role: "img" }, chart);
  add(chart, "figcaption");
  svg.addEventListener("pointermove", (event) => {
    svg.cursorX = event.clientX - svg.getBoundingClientRect().left;
    redraw();
  });
  svg.addEventListener("pointerleave", () => {
    svg.cursorX = null;
    redraw();
  });
  watcher.observe(svg);
  return section;
}

function drawZone(section, answer) {
  const title = section.querySelector("h2");
  setText(title, answer.zone);
  title.id = `zone-${answer.zone}`;
  section.setAttribute("aria-labelledby", title.id);
  setText(section.querySelector(".value"), plain.format(answer.intensity_g_per_kwh));
  const tags = [];
  if (answer.fallback_level > 0) tags.push("fallback");
  if (answer.estimated) tags.push("estimated");
  setTag(section.querySelector(".figure"), tags.join(", "));
  setText(section.querySelector(".prose"), zoneNote(answer));
  const marginal = answer.marginal;
  const note = section.querySelector(".note");
  note.hidden = marginal === null;
  setText(note, marginal === null ? ""
    : `One kilowatt-hour more: ${plain.format(marginal.intensity_g_per_kwh)} g (${marginal.provider}), advice only.`);
  drawOutlook(section, answer);
}

/** Cut what is expected to the next day; what is now comes first. */
function outlook(answer) {
  const now = answer.unix_s;
  return answer.forecast
    .map((point) => ({ from: Math.max(point.begin_unix_s, now), to: point.begin_unix_s + point.slot_s, value: point.intensity_g_per_kwh }))
    .filter((point) => point.to > now && point.from < now + AHEAD_S)
    .map((point) => ({ ...point, to: Math.min(point.to, now + AHEAD_S) }));
}

function drawOutlook(section, answer) {
  const svg = section.querySelector("svg");
  const caption = section.querySelector("figcaption");
  const points = outlook(answer);
  svg.replaceChildren();
  svg.dataset.empty = String(points.length === 0);
  const width = svg.clientWidth;
  const height = svg.clientHeight;
  if (points.length === 0 || width === 0) {
    setLabel(svg, `Forecast of ${answer.zone}: none`);
    draw("line", { class: "grid", x1: 0, x2: width, y1: 0.5, y2: 0.5 }, svg);
    setText(caption, "Nobody tells a forecast.");
    return;
  }
  const now = answer.unix_s;
  const lowest = points.reduce((best, point) => (point.value < best.value ? point : best));
  const highest = points.reduce((best, point) => (point.value > best.value ? point : best));
  const top = niceCeiling(Math.max(highest.value, answer.intensity_g_per_kwh, 1));
  const base = height - 20;
  const x = (unixS) => ((unixS - now) / AHEAD_S) * width;
  const y = (value) => base - (value / top) * (base - 18);

  // Each slot is a step; where nobody says anything there is a gap.
  for (const run of unbroken(points)) {
    const line = run.map((point) => `${x(point.from).toFixed(1)} ${y(point.value).toFixed(1)}L${x(point.to).toFixed(1)} ${y(point.value).toFixed(1)}`).join("L");
    draw("path", { class: "ahead", d: `M${x(run[0].from).toFixed(1)} ${base}L${line}L${x(run.at(-1).to).toFixed(1)} ${base}Z` }, svg);
    draw("path", { class: "total", d: `M${line}` }, svg);
  }
  for (const share of [0.5, 1]) {
    const at = Math.round(y(top * share)) + 0.5;
    draw("line", { class: "grid", x1: 0, x2: width, y1: at, y2: at }, svg);
    draw("text", { x: 0, y: at - 4 }, svg).textContent = `${plain.format(top * share)} g`;
  }
  draw("line", { class: "grid", x1: 0, x2: width, y1: base + 0.5, y2: base + 0.5 }, svg);
  for (const [share, anchor] of [[0, "start"], [0.25, "middle"], [0.5, "middle"], [0.75, "middle"], [1, "end"]]) {
    const text = share === 0 ? "now" : hours(now + share * AHEAD_S);
    draw("text", { x: share * width, y: height - 4, "text-anchor": anchor }, svg).textContent = text;
  }
  const range = `lowest ${plain.format(lowest.value)} g at ${hours(lowest.from)}, highest ${plain.format(highest.value)} g at ${hours(highest.from)}`;
  setLabel(svg, `Forecast of ${answer.zone} for the next 24 hours: ${range}`);
  setText(caption, readout(svg, points, x, base) ?? `Expected: ${range}.`);
}

/** Cut where the end of one slot is not the begin of the next. */
function unbroken(points) {
  const runs = [];
  for (const point of points) {
    const run = runs.at(-1);
    if (run && point.from - run.at(-1).to < 1) run.push(point);
    else runs.push([point]);
  }
  return runs;
}

/** Say what the pointer is on; null without a pointer. */
function readout(svg, points, x, base) {
  const at = svg.cursorX ?? null;
  const found = at === null ? undefined : points.find((point) => x(point.from) <= at && at < x(point.to));
  if (found === undefined) return null;
  draw("line", { class: "cursor", x1: at, x2: at, y1: 0, y2: base }, svg);
  return `${hours(found.from)} to ${hours(found.to)}: ${plain.format(found.value)} g per kWh expected`;
}

// --- budgets ---------------------------------------------------------------------

function amount(value, unit) {
  if (value === null) return UNKNOWN;
  if (unit === "grams") return grams(value);
  if (unit === "joules") return energy(value);
  return `${whole.format(value)} ${unit}`;
}

const date = (unixS) => new Date(unixS * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short" });

function makeBudget() {
  const item = document.createElement("li");
  const row = add(item, "div", "row");
  add(row, "span", "name");
  add(row, "span", "team");
  add(row, "span", "value");
  add(add(item, "div", "track"), "div", "fill");
  add(item, "p", "more");
  return item;
}

function drawBudgets(answer) {
  const budgets = answer.budgets;
  $("budgets-part").hidden = budgets.length === 0;
  keyed($("budgets"), budgets, (budget) => budget.name, makeBudget, (item, budget) => {
    const over = budget.spent_ratio !== null && budget.spent_ratio > 1;
    const soon = budget.projected_ratio !== null && budget.projected_ratio > 1;
    item.dataset.over = String(over || soon);
    setText(item.querySelector(".name"), budget.name);
    setText(item.querySelector(".team"), budget.team);
    setTag(item.querySelector(".row"), over ? "overspent" : soon ? "will be overspent" : "");
    setText(item.querySelector(".value"), percent(budget.spent_ratio));
    item.querySelector(".fill").style.width = `${Math.min(1, budget.spent_ratio ?? 0) * 100}%`;
    const more = [`${amount(budget.spent, budget.unit)} of ${amount(budget.amount, budget.unit)}`];
    if (budget.projected_ratio !== null) more.push(`${percent(budget.projected_ratio)} expected`);
    // Of a rolling period the end is always now.
    const ends = budget.period_end_unix_s;
    more.push(ends !== null && ends > answer.unix_s ? `${budget.period} until ${date(ends)}` : `per ${budget.period}`);
    if (budget.spent !== null) more.push(`${percent(budget.data_quality)} on live and complete data`);
    setText(item.querySelector(".more"), more.join(" · "));
  });
  const note = answer.error ? `Prometheus cannot be read: ${answer.error}`
    : answer.catching_up ? "The past of some budgets is still being read." : "";
  showEmpty("budgets-note", note);
}

// --- providers -------------------------------------------------------------------

function makeProvider() {
  const item = document.createElement("li");
  const row = add(item, "div", "row");
  add(row, "span", "name");
  add(row, "span", "state");
  add(item, "p", "more");
  add(item, "p", "message");
  return item;
}

function drawProviders(hub) {
  const rank = (feed) => (WELL.has(feed.outcome) ? 1 : 0);
  const feeds = [...hub.feeds].sort((a, b) => rank(a) - rank(b));
  const keyOf = (feed) => `${feed.provider} ${feed.is_forecast} ${feed.zones.join(" ")}`;
  keyed($("providers"), feeds, keyOf, makeProvider, (item, feed) => {
    item.dataset.up = String(feed.outcome === "ok");
    item.dataset.fault = String(!WELL.has(feed.outcome));
    setText(item.querySelector(".name"), feed.is_forecast ? `${feed.provider}, forecast` : feed.provider);
    setText(item.querySelector(".state"), OUTCOMES[feed.outcome] ?? feed.outcome);
    const more = [feed.zones.join(", ")];
    if (feed.failures > 1) more.push(`${whole.format(feed.failures)} times in a row`);
    const wait = feed.next_unix_s - hub.unix_s;
    more.push(wait < 1 ? "is being asked" : `asked again in ${duration(wait)}`);
    setText(item.querySelector(".more"), more.join(" · "));
    const message = item.querySelector(".message");
    message.hidden = feed.error === "";
    setText(message, feed.error);
  });
  const well = feeds.filter((feed) => feed.outcome === "ok").length;
  setAside($("providers-title"), feeds.length ? `${well} of ${feeds.length} ok` : "");
  showEmpty("providers-empty", feeds.length ? "" : "Nobody is asked: the zones have their yearly figures.");
}

// --- the loop ----------------------------------------------------------------------

let last = null;
let timer = null;
const watcher = new ResizeObserver(() => redraw());

function drawZones() {
  keyed($("zones"), last.zones, (answer) => answer.zone, makeZone, drawZone);
}

function redraw() {
  if (last) drawZones();
}

async function update() {
  clearTimeout(timer);
  try {
    const [hub, budgets] = await Promise.all([ask("api/v1/hub"), ask("api/v1/budgets")]);
    last = hub;
    drawZones();
    drawBudgets(budgets);
    drawProviders(last);
    $("refused").hidden = !last.reload_refused;
    document.title = `${last.zones.map((answer) => `${answer.zone} ${plain.format(answer.intensity_g_per_kwh)}`).join(" · ")} · jouled hub`;
    setText($("about"), `jouled ${last.version} · for ${duration(last.unix_s - last.started_unix_s)}`);
    setState("live", "live");
  } catch {
    setState("lost", last ? `no answer since ${clock(last.unix_s)}; trying again` : "no answer from the hub; trying again");
  }
  if (!document.hidden) timer = setTimeout(update, EVERY_MS);
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) update(); });
update();
