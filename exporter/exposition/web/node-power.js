// What the node draws, now and in the last minutes, and how dirty that is.

import { agoMarks, fillLegend, makeChart } from "./charts.js";
import { nextDay, showForecast } from "./forecast.js";
import { $, add, fillBars, setFacts, setTag, setText, showNotice } from "./page.js";
import {
  JOULES_PER_KWH, NAMES, clock, count, duration, energy, grams, jobName, missingDevices, notMeasured, percent, plain, wattMark,
  wattParts, watts,
} from "./words.js";
import { WINDOW_S, moments, newestUnixS, points } from "./node-recent.js";

const PARTS = ["cpu", "dram", "gpu", "platform"];
// More would be stripes that nobody can tell apart.
const MOST_JOBS = 5;

// --- now -----------------------------------------------------------------------

/** What the sum lacks; "" if nothing. */
function whatIsMissing(node) {
  const lacking = missingDevices(node.components.map((part) => [part.component, part.devices_missing]));
  return lacking && `less than it draws: the power of ${lacking} is not known`;
}

function howItIsKnown(node) {
  const known = node.components.filter((part) => part.power_w !== null);
  const modelled = known.filter((part) => part.quality === "estimated").map((part) => NAMES[part.component]);
  if (!modelled.length) return "";
  if (modelled.length === known.length) return "modelled, not measured";
  return `partly modelled, not measured: ${modelled.join(", ")}`;
}

const whatIsDoubtful = (node) => [whatIsMissing(node), howItIsKnown(node)].filter(Boolean).join("; ");

/** Grams in an hour at the power of now; null if that is not known. */
const hourlyGrams = (node, intensity) => (node.power_w === null ? null
  : (node.power_w * 3600 / JOULES_PER_KWH) * intensity.intensity_g_per_kwh * node.pue_ratio);

const isMeter = (source) => PARTS.includes(source.component) || (source.component === "node" && source.method !== "none");

/** Why no power is known. */
function whyUnknown(node) {
  const meters = node.sources.filter(isMeter);
  if (meters.some((source) => source.up)) return "No power is known yet: it takes two samples.";
  const said = meters.find((source) => source.message);
  return said ? `No power is known: ${said.message}` : "No power is known.";
}

export function drawPower(node, intensity) {
  const pair = wattParts(node.power_w);
  setText($("power-value"), pair ? pair[0] : "–");
  setText($("power-unit"), pair ? pair[1] : "");
  const note = $("power-note");
  if (!note.firstChild) add(note, "span");
  setText(note.firstChild, pair ? whatIsDoubtful(node) : whyUnknown(node));
  setTag(note, pair && node.quality !== "none" ? node.quality : "");
  const rate = hourlyGrams(node, intensity);
  setFacts($("power-facts"), [
    ["CO₂e", rate === null ? null : `${grams(rate)} per hour`],
    ["CPUs busy", node.cpu_busy_ratio === null ? null : percent(node.cpu_busy_ratio)],
  ]);

  const total = node.components.reduce((sum, part) => sum + (part.power_w ?? 0), 0);
  fillBars($("components"), node.components.map((part) => {
    const share = total > 0 && part.power_w !== null ? part.power_w / total : null;
    const more = [`${energy(part.energy_j)} so far`];
    if (part.idle_power_w !== null && part.idle_method !== "assumed") {
      more.push(`${watts(part.idle_power_w)} idle, ${part.idle_method}`);
    }
    if (part.devices_missing) more.push(`without ${count(part.devices_missing, "device", "devices")}`);
    if (part.unmeasured_s) more.push(`${duration(part.unmeasured_s)} not measured`);
    return {
      key: part.component, part: part.component, name: NAMES[part.component],
      side: share === null ? "" : percent(share), value: watts(part.power_w), ratio: share,
      more: more.join(" · "), tag: notMeasured(part.quality),
    };
  }));
  showNotice("components-empty", node.components.length || node.sources.some((source) => isMeter(source) && source.up) ? ""
    : "Nothing that draws power can be read. The sources say why, and jouled check what would help.");
}

// --- the last minutes ------------------------------------------------------------

let byJob = false;
let shownNode = null;
const chart = makeChart($("chart"));

function seriesByComponent() {
  return PARTS.map((part) => ({
    key: part, part, name: NAMES[part], values: points.map((point) => point.components_w[part] ?? null),
  })).filter(({ values }) => values.some((value) => value !== null));
}

const keyOf = (job) => `${job.scheduler} ${job.job_id} ${job.pod}`;

function seriesByJob() {
  const sums = new Map();
  for (const { jobs } of moments) {
    for (const job of jobs) {
      const known = sums.get(keyOf(job));
      sums.set(keyOf(job), { job, power_w: (known?.power_w ?? 0) + job.power_w });
    }
  }
  const largest = [...sums].sort(([, a], [, b]) => b.power_w - a.power_w).slice(0, MOST_JOBS);
  const named = new Set(largest.map(([key]) => key));
  const sumOf = (moment, wanted) => moment.jobs.filter(wanted).reduce((sum, job) => sum + job.power_w, 0);
  const series = largest.map(([key, { job }], index) => ({
    key, part: `hue-${index}`, name: [job.job_id, jobName(job)].filter(Boolean).join(" "),
    values: moments.map((moment) => sumOf(moment, (one) => keyOf(one) === key)),
  }));
  const others = sums.size - named.size;
  if (others > 0) {
    series.push({
      key: "others", part: "rest", name: `${others} other${others === 1 ? "" : "s"}`,
      values: moments.map((moment) => sumOf(moment, (one) => !named.has(keyOf(one)))),
    });
  }
  series.push({
    key: "nobody", part: "none", name: "No job (unattributed)",
    values: moments.map((moment) => Math.max(0, moment.power_w - sumOf(moment, () => true))),
  });
  return series;
}

export function drawHistory(node = shownNode) {
  if (node === null) return;
  shownNode = node;
  $("by-component").setAttribute("aria-pressed", String(!byJob));
  $("by-job").setAttribute("aria-pressed", String(byJob));
  const series = byJob ? seriesByJob() : seriesByComponent();
  const times = (byJob ? moments : points).map((point) => point.unix_s);
  const to = newestUnixS();
  const from = to - Math.min(WINDOW_S, Math.max(60, to - (points[0]?.unix_s ?? to)));
  const known = points.filter((point) => point.power_w !== null).map((point) => point.power_w);
  const [lowest, highest] = [Math.min(...known), Math.max(...known)];
  const what = byJob ? "stacked by job" : "stacked by component";
  const span = to - from;
  const spoken = duration(span > 120 ? Math.round(span / 60) * 60 : span);
  const range = `between ${watts(lowest)} and ${watts(highest)} in the last ${spoken}`;
  chart.show({
    times, series, from, to,
    // The page is told every few seconds, and a tab in the back less often.
    gapS: byJob ? 15 : Math.max(3.5 * node.interval_s, 5),
    marks: agoMarks(from, to),
    format: watts,
    axis: wattMark,
    label: `Node power of the last ${spoken}, ${what}: now ${watts(known.at(-1) ?? null)}, lowest ${watts(lowest)}, highest ${watts(highest)}`,
    caption: byJob ? `Since ${clock(moments[0]?.unix_s ?? to)}, when this page was opened; ${range}` : range,
    empty: byJob ? "By job the chart begins when the page is opened: a moment, please." : "The chart begins with the second sample.",
  });
  fillLegend($("chart-legend"), series.map(({ key, part, name, values }) => ({
    key, part, name, value: watts(values.at(-1) ?? null),
  })));
}

for (const [id, wanted] of [["by-component", false], ["by-job", true]]) {
  $(id).addEventListener("click", () => {
    byJob = wanted;
    drawHistory();
  });
}

// --- how dirty it is ---------------------------------------------------------------

const LIVE_BY = "Set carbon.hub_url to the address of the site's hub for a live figure, or carbon.direct on a single machine.";

function intensityNote(answer) {
  const factors = answer.factors ? `, ${answer.factors} factors` : "";
  const age = answer.age_s === null ? "" : `, ${duration(answer.age_s)} old`;
  const zone = answer.zone === "WORLD" ? "the world" : answer.zone;
  switch (answer.fallback_level) {
    case 0:
      return answer.age_s === null
        ? `Fixed by the operator for ${zone} (${answer.provider}${factors}).`
        : `Live figure of the grid of ${zone} from ${answer.provider}${factors}${age}.`;
    case 1:
      return `Last good value of ${answer.provider} for ${zone}${factors}${age}: there is none of now, and this one stands in until there is. jouled check tells why.`;
    case 2:
      return `Yearly figure of ${zone} (${answer.provider}${factors}): there is no live figure now, so the hour of the day makes no difference. ${LIVE_BY} If one is set, jouled check tells why it is silent.`;
    default:
      return `Yearly figure of ${zone} (${answer.provider}${factors}): nothing is known of this grid. Set carbon.zone, such as DE, for a figure of your own. ${LIVE_BY}`;
  }
}

const perKwh = (value) => `${plain.format(value)} g`;
const forecast = makeChart($("forecast"));

export function drawCarbon(answer, node) {
  setText($("intensity"), plain.format(answer.intensity_g_per_kwh));
  const tags = [];
  if (answer.fallback_level > 0) tags.push("fallback");
  if (answer.estimated) tags.push("estimated");
  setTag($("intensity").parentElement, tags.join(", "), tags[0]);
  setText($("intensity-note"), intensityNote(answer));
  setFacts($("carbon-facts"), [
    ["Grid zone", answer.zone === "WORLD" ? "not set" : answer.zone],
    ["PUE", plain.format(node.pue_ratio)],
    ["By contracts", node.market_intensity_g_per_kwh === null ? null : `${plain.format(node.market_intensity_g_per_kwh)} g per kWh`],
  ]);
  const slots = nextDay(answer.forecast, answer.unix_s);
  $("forecast").hidden = !slots.length;
  showForecast(forecast, slots, { nowUnixS: answer.unix_s, zone: answer.zone, format: perKwh });
}
