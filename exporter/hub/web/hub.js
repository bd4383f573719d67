// Draws the page of the hub from the JSON API every few seconds.

import { ask, follow } from "./feed.js";
import { $, add, keyed, setAside, setText, showNotice } from "./page.js";
import { duration, moment, plain, watts } from "./words.js";
import { drawBudgets, drawZones } from "./hub-grid.js";
import { drawHistory, drawPower, drawSplit } from "./hub-power.js";
import { drawAsked, drawNodes } from "./hub-state.js";
import { drawJobs, drawTenants } from "./hub-work.js";

const EVERY_MS = 5000;
// Asked each 30 s; after so long without a word something is wrong.
const OLD_S = 120;
const MOST_ITEMS = 8;

let last = null;

function nameOf(clusters, zones) {
  const names = clusters.map(({ cluster }) => cluster).filter(Boolean);
  if (names.length === 1) return names[0];
  if (names.length > 1) return `${names.length} clusters: ${names.join(", ")}`;
  return zones.length === 1 ? `hub of ${zones[0].zone}` : "hub";
}

/** Why there are no figures of the cluster, and what to do; "" if there are. */
function whyUnknown({ prometheus, observed_unix_s: seen, missing }) {
  if (prometheus === null) {
    return "Power, jobs, tenants and nodes are not shown, because the hub knows of no Prometheus. Set prometheus.url in its file to the address of the one that scrapes the nodes, and reload the hub.";
  }
  if (prometheus.error && seen === null) {
    return `Prometheus does not tell anything: ${prometheus.error}. See whether it runs, and whether prometheus.url in the hub's file is its address.`;
  }
  if (prometheus.error) {
    return `Prometheus has not answered since ${moment(prometheus.failing_since_unix_s)}: ${prometheus.error}. The figures of the cluster are of ${moment(seen)}. See whether it runs and whether the hub reaches it.`;
  }
  if (seen === null) return "Prometheus is being asked for the first time.";
  return missing.find(({ part }) => part === "nodes")?.remedy ?? "";
}

function ageOf({ unix_s: now, observed_unix_s: seen, prometheus, complete }) {
  const age = `${duration(now - seen)} ago${complete ? "" : ", incomplete"}`;
  return now - seen > OLD_S && !prometheus.error ? `${age}; being asked for` : age;
}

/** Say at the top what needs somebody, each a way to where it is explained. */
function drawAttention(items) {
  const list = $("attention");
  const shown = items.slice(0, MOST_ITEMS);
  const rest = items.length - shown.length;
  if (rest > 0) shown.push({ text: `and ${rest} more`, to: items.at(-1).to });
  keyed(list, shown, ({ text }) => text, () => add(document.createElement("li"), "a").parentElement, (node, { text, to }) => {
    node.firstChild.href = `#${to}`;
    setText(node.firstChild, text);
  });
  list.hidden = !items.length;
}

function show([overview, hub, budgets]) {
  last = hub;
  const known = overview.nodes !== null;
  for (const card of document.querySelectorAll("[data-of=prometheus]")) card.hidden = !known;
  const why = whyUnknown(overview);
  showNotice("unknown", why);
  $("unknown").classList.toggle("trouble", Boolean(overview.prometheus?.error));
  const name = nameOf(overview.clusters, hub.zones);
  setText($("cluster"), name);
  if (known) {
    setAside($("power-title"), ageOf(overview));
    drawPower(overview);
    drawHistory(overview);
    drawSplit(overview);
    drawJobs(overview);
    drawTenants(overview);
  }
  drawZones(hub, overview);
  drawAttention([...drawNodes(overview), ...drawBudgets(budgets), ...drawAsked(hub, overview)]);
  $("refused").hidden = !hub.reload_refused;
  const power = overview.power.total_w;
  const grid = hub.zones.slice(0, 2).map((zone) => `${zone.zone} ${plain.format(zone.intensity_g_per_kwh)} g`).join(" · ");
  document.title = `${power === null ? grid : watts(power)} · ${name} · jouled`;
  setText($("about"), `jouled ${hub.version} · up for ${duration(hub.unix_s - hub.started_unix_s)}`);
  return null;
}

follow({
  everyMs: EVERY_MS,
  who: "hub",
  ask: () => Promise.all([ask("api/v1/overview"), ask("api/v1/hub"), ask("api/v1/budgets")]),
  show,
  sinceUnixS: () => last?.unix_s ?? null,
});
