// What needs somebody: nodes that are silent or have faults, and who does not answer us.

import { $, fillSources, setAside, setFacts, setFigure, setText, showNotice } from "./page.js";
import { NAMES, count, duration, plain, whole } from "./words.js";
import { remedyOf } from "./hub-power.js";

const MOST_NAMED = 8;

// --- nodes ------------------------------------------------------------------------

const REASONS = {
  denied: ["may not be read", "The daemon lacks a right. On such a node, jouled check says which."],
  faulty: ["cannot be read", "It is there and fails, or tells what cannot be. The node's page and log say what."],
  timeout: ["does not answer in time", "A driver or a controller hangs. Other figures of the node go on; a reset of the device often helps."],
};

// The rest of a GPU's name tells nobody more.
const short = (device) => device.replace(/^(GPU-[0-9a-f]{8})-.*/, "$1");

/** Name nodes, and of each the device if there is one. */
function named(nodes, all = nodes.length) {
  const names = nodes.slice(0, MOST_NAMED).map(({ instance, source = "" }) => {
    const device = source.split("/").slice(1).join("/");
    return instance.replace(/:9878$/, "") + (device ? ` (${short(device)})` : "");
  });
  if (!names.length) return "";
  const rest = all - names.length;
  return rest > 0 ? `${names.join(", ")} and ${whole.format(rest)} more` : names.join(", ");
}

function faultItems(faults) {
  const groups = new Map();
  for (const fault of faults ?? []) {
    // Each device is a source of its own: nvml/GPU-1, nvml/GPU-2.
    const key = `${fault.source.split("/")[0]} ${fault.reason}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(fault);
  }
  return [...groups].map(([key, nodes]) => {
    const [state, remedy] = REASONS[nodes[0].reason] ?? [nodes[0].reason, "The node's page and log say more."];
    const where = `on ${count(new Set(nodes.map(({ cluster, instance }) => `${cluster} ${instance}`)).size, "node", "nodes")}`;
    return {
      key, name: nodes[0].source.split("/")[0], up: false, fault: true, state, where,
      more: `${where}: ${named(nodes)}`, message: remedy,
    };
  });
}

/** Show how the nodes are; return what needs somebody. */
export function drawNodes(overview) {
  const { nodes } = overview;
  if (nodes === null) return [];
  setFigure($("nodes-figure"), [whole.format(nodes.up), `of ${whole.format(nodes.known)} answer`]);
  const silent = nodes.known - nodes.up;
  const items = faultItems(nodes.faults);
  if (silent > 0) {
    items.unshift({
      key: "silent", name: count(silent, "node", "nodes"), up: false, fault: true, state: "silent",
      more: named(nodes.down, silent),
      message: "Prometheus gets no answer from there. Is the node up, and the service? systemctl status jouled tells.",
    });
  }
  const estimated = Object.entries(nodes.estimated ?? {}).filter(([, found]) => found > 0);
  setFacts($("nodes-facts"), [
    ["With faults", nodes.faulty === null ? "–" : whole.format(nodes.faulty)],
    ...estimated.map(([part, found]) => [`${NAMES[part] ?? part} estimated on`, whole.format(found)]),
    ...(overview.clusters.length > 1
      ? overview.clusters.map((one) => [one.cluster || "no name", `${whole.format(one.nodes_up)} of ${whole.format(one.nodes)}`]) : []),
  ]);
  fillSources($("nodes"), items);
  $("nodes").hidden = !items.length;
  setText($("nodes-note"), items.length ? "" : remedyOf(overview, "faults") || "All nodes answer, and all that they have can be read.");
  return items.map((item) => ({
    text: item.key === "silent" ? `${item.name} silent` : `${item.name} ${item.state} ${item.where}`, to: "nodes-title",
  }));
}

// --- who is asked --------------------------------------------------------------------

const OUTCOMES = {
  "": "not asked yet",
  ok: "ok",
  stale: "answers with an old value",
  unavailable: "does not answer",
  overload: "gives up on what is asked",
  throttled: "wants to be asked less",
  denied: "refuses the token or the zone",
  not_covered: "does not know the zone",
  nonsense: "answers with something unexpected",
  implausible: "tells what cannot be",
  failed: "failed here; see the log",
};
const WELL = new Set(["", "ok"]);

function providerItem(feed, hub) {
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
}

function slurmItem({ jobs, fetched_unix_s: fetched, next_unix_s: next, error }, hub) {
  const more = [];
  if (fetched !== null) more.push(`told ${count(jobs, "job", "jobs")} ${duration(hub.unix_s - fetched)} ago`);
  more.push(next - hub.unix_s < 1 ? "is being asked" : `asked again in ${duration(next - hub.unix_s)}`);
  return {
    key: "slurmrestd", name: "slurmrestd", state: error ? "does not tell its jobs" : fetched === null ? "not asked yet" : "ok",
    up: fetched !== null && !error, fault: Boolean(error), more: more.join(" · "), message: error,
  };
}

function prometheusItem(prometheus) {
  const took = prometheus.refresh_duration_s;
  const more = ["asked while somebody looks"];
  if (took !== null) more.push(`took ${took < 1 ? `${plain.format(took * 1000)} ms` : `${plain.format(took)} s`}`);
  const { outcome } = prometheus;
  return {
    key: "prometheus", name: `Prometheus, ${prometheus.host}`,
    state: outcome === "denied" ? "refuses the hub" : OUTCOMES[outcome] ?? outcome,
    up: outcome === "ok", fault: !WELL.has(outcome), more: more.join(" · "), message: prometheus.error,
  };
}

/** Show who is asked; return what needs somebody. */
export function drawAsked(hub, overview) {
  const items = hub.feeds.map((feed) => providerItem(feed, hub));
  if (overview.prometheus !== null) items.push(prometheusItem(overview.prometheus));
  if (hub.slurm !== null) items.push(slurmItem(hub.slurm, hub));
  // Who is in trouble comes first; else the order stays.
  items.sort((a, b) => b.fault - a.fault);
  fillSources($("asked"), items);
  const well = items.filter(({ up }) => up).length;
  setAside($("asked-title"), items.length ? `${well} of ${items.length} ok` : "");
  showNotice("asked-empty", items.length ? "" : "Nobody is asked: the zones have their yearly figures.");
  // Of Prometheus the page speaks above.
  return items.filter(({ key, fault }) => fault && key !== "prometheus").map(({ name, state }) => ({ text: `${name} ${state}`, to: "asked-title" }));
}
