// Draws the page of a node from the JSON API every few seconds; see common.js.
"use strict";

const EVERY_MS = 3000;
const WINDOW_S = 600;
const PARTS = ["cpu", "dram", "gpu", "platform"];
const NAMES = {
  cpu: "CPU", dram: "Memory", gpu: "GPU", platform: "Platform", node: "Node", workloads: "Jobs",
};
const NOT_A_FAULT = new Set(["", "absent"]);

const wattParts = (w) => scaled(w, [[1, "W"], [1e3, "kW"], [1e6, "MW"]]);
const watts = (w) => joined(wattParts(w));
const gib = (b) => plain.format(b / 2 ** 30);

// --- sections ----------------------------------------------------------------

function drawPower(node) {
  const pair = wattParts(node.power_w);
  setText($("power-value"), pair ? pair[0] : UNKNOWN);
  setText($("power-unit"), pair ? pair[1] : "");
  const note = $("power-note");
  const down = node.sources.filter((source) => !source.up && source.message);
  let text = "";
  if (!pair) text = down.length ? `No power is known: ${down[0].message}` : "No power is known yet.";
  else if (node.quality === "estimated") {
    const known = node.components.filter((part) => part.power_w !== null);
    const modelled = known.filter((part) => part.quality === "estimated").map((part) => NAMES[part.component]);
    if (modelled.length === known.length) text = "modelled, not measured";
    else if (modelled.length) text = `partly modelled, not measured: ${modelled.join(", ")}`;
  }
  if (!note.firstChild) add(note, "span");
  setText(note.firstElementChild, text);
  setTag(note, pair && text ? "estimated" : "");
  setText($("energy"), energy(node.energy_j));
  setText($("grams"), grams(node.emissions_g));
  setText($("busy"), percent(node.cpu_busy_ratio));
}

function drawComponents(node) {
  const total = node.components.reduce((sum, part) => sum + (part.power_w ?? 0), 0);
  const make = () => {
    const item = document.createElement("li");
    const row = add(item, "div", "row");
    add(row, "span", "name");
    add(row, "span", "value");
    add(add(item, "div", "track"), "div", "fill");
    add(item, "p", "more");
    return item;
  };
  keyed($("components"), node.components, (part) => part.component, make, (item, part) => {
    item.dataset.part = part.component;
    const share = total > 0 && part.power_w !== null ? part.power_w / total : null;
    const name = item.querySelector(".name");
    if (!name.firstChild) name.append("");
    if (name.firstChild.data !== NAMES[part.component]) name.firstChild.data = NAMES[part.component];
    setTag(name.parentElement, part.quality === "estimated" ? "estimated" : "");
    setText(item.querySelector(".value"), watts(part.power_w));
    item.querySelector(".fill").style.width = `${(share ?? 0) * 100}%`;
    const more = [];
    if (share !== null) more.push(`${percent(share)} of the node`);
    more.push(`${energy(part.energy_j)} since boot`);
    if (part.idle_power_w !== null && part.idle_method !== "assumed") {
      more.push(`${watts(part.idle_power_w)} idle, ${part.idle_method}`);
    }
    if (part.unmeasured_s) more.push(`${duration(part.unmeasured_s)} not measured`);
    setText(item.querySelector(".more"), more.join(" · "));
  });
  showEmpty("components-empty", node.components.length ? "" : "Nothing that draws power can be read; see the sources below.");
}

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
      return `Yearly figure of ${zone} (${answer.provider}${factors}): there is no live figure now, so the hour of the day makes no difference. jouled check tells where one would come from.`;
    default:
      return `Yearly figure of ${zone} (${answer.provider}${factors}): nothing is known of this grid. Set carbon.zone, such as DE, for a figure of your own.`;
  }
}

function drawCarbon(answer, node) {
  setText($("intensity"), plain.format(answer.intensity_g_per_kwh));
  const tags = [];
  if (answer.fallback_level > 0) tags.push("fallback");
  if (answer.estimated) tags.push("estimated");
  setTag($("intensity").parentElement, tags.join(", "));
  setText($("intensity-note"), intensityNote(answer));
  const rate = node.power_w === null ? null
    : (node.power_w * 3600 / JOULES_PER_KWH) * answer.intensity_g_per_kwh * node.pue_ratio;
  setText($("grams-rate"), rate === null ? UNKNOWN : `${grams(rate)} per hour`);
  setText($("grams-fallback"), node.emissions_g === null ? UNKNOWN
    : `${grams(node.fallback_emissions_g)} of ${grams(node.emissions_g)}`);
  setText($("pue"), plain.format(node.pue_ratio));
}

function noJobs(node) {
  const schedulers = node.sources.filter((source) => source.component === "workloads");
  if (!schedulers.length) return "No jobs: no scheduler is read on this node, so all energy is unattributed.";
  const down = schedulers.find((source) => !source.up);
  if (down) return `Jobs are not known (${down.source}): ${down.message || down.reason}`;
  return "No jobs are running on this node.";
}

function drawJobs(answer, node) {
  const modelled = new Set(
    node.components.filter((part) => part.quality === "estimated").map((part) => part.component));
  const tagOf = (parts) => (Object.keys(parts).some((part) => modelled.has(part)) ? "estimated" : "");
  const jobs = [...answer.jobs].sort((a, b) =>
    b.running - a.running || (b.power_w ?? 0) - (a.power_w ?? 0) || b.energy_j - a.energy_j);
  const since = (job) => job.start_unix_s ?? job.created_unix_s;
  fillTable("jobs", [
    ["Job", "", (job) => [job.job_id, job.info.name || job.info.workload_name || job.pod]],
    ["Whose", "", (job) => [job.user || job.namespace || UNKNOWN, job.user ? job.account : job.scheduler]],
    ["Time", "", (job) => job.running
      ? [duration(answer.unix_s - since(job)), "running"]
      : [duration(job.end_unix_s - since(job)), `ended ${duration(answer.unix_s - job.end_unix_s)} ago`]],
    ["GPUs", "number", (job) => job.gpus
      ? [plain.format(job.gpus), job.gpu_utilization_ratio === null ? "" : `${percent(job.gpu_utilization_ratio)} used`]
      : UNKNOWN],
    ["Power", "number", (job) => [watts(job.power_w), "", tagOf(job.components_w)]],
    ["Energy", "number", (job) => [energy(job.energy_j),
      job.projected_energy_j === null ? "" : `of ${energy(job.projected_energy_j)}`]],
    ["CO₂e", "number", (job) => [grams(job.emissions_g),
      job.projected_emissions_g === null ? "" : `of ${grams(job.projected_emissions_g)}`]],
    ["Done", "number", (job) => percent(job.progress_ratio)],
  ], jobs, (job) => `${job.scheduler} ${job.job_id} ${job.pod} ${job.created_unix_s}`, noJobs(node),
  (row, job) => { row.dataset.ended = String(!job.running); });
  const running = jobs.filter((job) => job.running).length;
  const ended = jobs.length - running;
  const parts = [];
  if (jobs.length) parts.push(`${running} running`);
  if (ended) parts.push(`${ended} ended`);
  if (answer.jobs_dropped) parts.push(`${count(answer.jobs_dropped, "job", "jobs")} not shown, over the cap`);
  setAside($("jobs-title"), parts.join(", "));
}

const REASONS = {
  jobs: ["Jobs", "charged to who ran them"],
  idle: ["Idle", "drawn with nothing to do"],
  system: ["System", "the operating system and daemons"],
  unallocated: ["Unallocated", "GPUs that nobody holds"],
  unknown: ["Unknown", "jobs that could not be told apart"],
};

function drawSplit(node) {
  const split = { jobs: 0, idle: 0, system: 0, unallocated: 0, unknown: 0 };
  let unattributed = 0;
  for (const { reason, energy_j } of node.unattributed) {
    split[reason] += energy_j;
    unattributed += energy_j;
  }
  // What is left: rounding can take it a hair below zero.
  split.jobs = Math.max(0, (node.energy_j ?? 0) - unattributed);
  const total = Object.values(split).reduce((sum, part) => sum + part, 0);
  const items = total > 0 ? Object.entries(split).filter(([, part]) => part > 0) : [];
  keyed($("split-bar"), items, ([reason]) => reason, () => document.createElement("span"), (piece, [reason, part]) => {
    piece.dataset.part = reason;
    piece.style.flexGrow = String(part / total);
  });
  const make = () => {
    const item = document.createElement("li");
    add(item, "span", "name");
    add(item, "span", "value");
    add(item, "p", "more");
    return item;
  };
  keyed($("split"), items, ([reason]) => reason, make, (item, [reason, part]) => {
    item.dataset.part = reason;
    setText(item.children[0], REASONS[reason][0]);
    setText(item.children[1], `${percent(part / total)} · ${energy(part)}`);
    setText(item.children[2], REASONS[reason][1]);
  });
  setLabel($("split-bar"), `Energy since boot: ${items.map(([reason, part]) => `${REASONS[reason][0]} ${percent(part / total)}`).join(", ")}`);
  $("split-bar").hidden = !items.length;
  $("split-empty").hidden = items.length > 0;
  setAside($("split-title"), items.length ? `${energy(total)} since boot` : "");
}

function noGpus(node) {
  const sources = node.sources.filter((source) => source.component === "gpu");
  const down = sources.find((source) => !source.up);
  if (down) return `No GPU found: ${down.message || down.reason}`;
  return sources.length ? "No GPU found in this node." : "No GPU found: no source of GPUs is switched on.";
}

function memory(gpu) {
  const { memory_used_bytes: used, memory_total_bytes: total } = gpu;
  if (used === null) return UNKNOWN;
  return total === null ? `${gib(used)} GiB` : `${gib(used)} of ${gib(total)} GiB`;
}

function drawDevices(node) {
  const gpus = node.devices.filter((device) => device.gpu !== null);
  const models = [...new Set(gpus.map(({ gpu }) => gpu.model))];
  const drivers = [...new Set(gpus.map(({ gpu }) => gpu.driver))];
  fillTable("gpus", [
    ["GPU", "", ({ gpu }) => [`${gpu.index}`, models.length > 1 ? gpu.model : ""]],
    ["Power", "number", ({ power_w }) => watts(power_w)],
    ["Limit", "number minor", ({ gpu }) => watts(gpu.power_limit_w)],
    ["Used", "number", ({ gpu }) => percent(gpu.utilization_ratio)],
    ["Memory", "number", ({ gpu }) => memory(gpu)],
    ["Temp.", "number", ({ gpu }) => (gpu.temperature_celsius === null ? UNKNOWN : `${whole.format(gpu.temperature_celsius)} °C`)],
    ["Energy", "number minor", ({ energy_j }) => energy(energy_j)],
  ], gpus, (device) => device.device, noGpus(node));
  const kind = models.length === 1 ? `${gpus.length} × ${models[0]}` : `${gpus.length}`;
  setAside($("gpus-title"), gpus.length ? `${kind}, driver ${drivers.join(", ")}` : "");

  const modelled = new Set(
    node.components.filter((part) => part.quality === "estimated").map((part) => part.component));
  const others = node.devices.filter((device) => device.gpu === null);
  fillTable("devices", [
    ["Device", "", (device) => device.device],
    ["Component", "", (device) => NAMES[device.component]],
    ["Power", "number", (device) => [watts(device.power_w), "", modelled.has(device.component) ? "estimated" : ""]],
    ["Energy", "number", (device) => energy(device.energy_j)],
  ], others, (device) => `${device.component} ${device.device}`, "No other device can be read.");
}

function drawSources(node) {
  const isFault = (source) => !source.up && !NOT_A_FAULT.has(source.reason);
  const rank = (source) => (isFault(source) ? 0 : source.up ? 1 : 2);
  const sources = [...node.sources].sort((a, b) => rank(a) - rank(b));
  const make = () => {
    const item = document.createElement("li");
    const row = add(item, "div", "row");
    add(row, "span", "name");
    add(row, "span", "state");
    add(item, "p", "more");
    add(item, "p", "message");
    return item;
  };
  keyed($("sources"), sources, (source) => source.source, make, (item, source) => {
    item.dataset.up = String(source.up);
    item.dataset.fault = String(isFault(source));
    setText(item.querySelector(".name"), source.source);
    setTag(item.querySelector(".row"), source.quality === "estimated" ? "estimated" : "");
    const state = source.reason === "absent" ? "not on this machine" : source.reason;
    setText(item.querySelector(".state"), source.up ? "up" : state || "down");
    const more = [NAMES[source.component] ?? source.component, source.quality === "none" ? "" : `${source.quality} (${source.method})`];
    if (source.up && source.read_duration_s) more.push(`read in ${plain.format(source.read_duration_s * 1000)} ms`);
    for (const { reason, ticks } of source.errors) {
      if (reason !== "absent") more.push(`${reason} ${count(ticks, "time", "times")}`);
    }
    setText(item.querySelector(".more"), more.filter(Boolean).join(" · "));
    const message = item.querySelector(".message");
    message.hidden = source.up || !source.message;
    setText(message, source.up ? "" : source.message);
  });
  const up = sources.filter((source) => source.up).length;
  setAside($("sources-title"), sources.length ? `${up} of ${sources.length} up` : "");
  showEmpty("sources-empty", sources.length ? "" : "Nothing is read on this machine.");
}

function drawAbout(node) {
  const parts = [`jouled ${node.version}`, `sampled every ${plain.format(node.interval_s)} s`,
    `the last sample took ${plain.format(node.sample_duration_s * 1000)} ms`];
  if (node.missed_ticks) parts.push(`${count(node.missed_ticks, "tick", "ticks")} missed`);
  setText($("about"), parts.join(" · "));
}

// --- the chart ---------------------------------------------------------------

let points = [];
let cursorX = null;

/** Take over new history and forget what is older than the window. */
function remember(history) {
  if (history.length) {
    // The wall clock may have been set back: then the past is not comparable.
    if (points.length && history[0].unix_s < points.at(-1).unix_s) points = [];
    points = points.concat(history);
  }
  const oldest = points.length ? points.at(-1).unix_s - WINDOW_S : 0;
  points = points.filter((point) => point.unix_s >= oldest);
}

/** Cut where nothing was known, or nothing was said for a while. */
function unbroken(known, gapS) {
  const runs = [];
  for (const point of known) {
    const run = runs.at(-1);
    if (run && point.unix_s - run.at(-1).unix_s <= gapS) run.push(point);
    else runs.push([point]);
  }
  return runs;
}

function drawChart(intervalS) {
  const svg = $("chart");
  const known = points.filter((point) => point.power_w !== null);
  svg.replaceChildren();
  svg.dataset.empty = String(known.length < 2);
  const width = svg.clientWidth;
  const height = svg.clientHeight;
  if (known.length < 2 || width === 0) {
    setLabel(svg, "Power of the last minutes: no values yet");
    draw("line", { class: "grid", x1: 0, x2: width, y1: 0.5, y2: 0.5 }, svg);
    setText($("chart-readout"), "The chart begins with the second value.");
    return;
  }
  const end = points.at(-1).unix_s;
  const span = Math.min(WINDOW_S, Math.max(60, end - points[0].unix_s));
  const highest = Math.max(...known.map((point) => point.power_w));
  const lowest = Math.min(...known.map((point) => point.power_w));
  const top = niceCeiling(Math.max(highest, 1));
  const base = height - 20;
  const x = (unixS) => ((unixS - end + span) / span) * width;
  const y = (w) => base - (w / top) * (base - 18);

  for (const share of [0.5, 1]) {
    const at = Math.round(y(top * share)) + 0.5;
    draw("line", { class: "grid", x1: 0, x2: width, y1: at, y2: at }, svg);
  }
  for (const run of unbroken(known, Math.max(3.5 * intervalS, 5))) {
    drawRun(svg, run, x, y);
  }
  draw("line", { class: "grid", x1: 0, x2: width, y1: base + 0.5, y2: base + 0.5 }, svg);
  for (const share of [0.5, 1]) {
    const [mark, unit] = wattParts(top * share);
    draw("text", { x: 0, y: Math.round(y(top * share)) - 4 }, svg).textContent = `${Number(mark)} ${unit}`;
  }
  draw("text", { x: 0, y: height - 4 }, svg).textContent = `${duration(span)} ago`;
  draw("text", { x: width, y: height - 4, "text-anchor": "end" }, svg).textContent = "now";
  setLabel(svg, `Node power of the last ${duration(span)}, stacked by component: now ${watts(known.at(-1).power_w)}, lowest ${watts(lowest)}, highest ${watts(highest)}`);
  drawReadout(svg, known, x, base, `between ${watts(lowest)} and ${watts(highest)} in the last ${duration(span)}`);
}

function drawRun(svg, run, x, y) {
  const line = (heights) => run.map((point, index) => `${x(point.unix_s).toFixed(1)} ${y(heights[index]).toFixed(1)}`);
  let below = run.map(() => 0);
  for (const part of PARTS) {
    const above = run.map((point, index) => below[index] + (point.components_w[part] ?? 0));
    if (above.some((value, index) => value > below[index])) {
      const path = `M${line(above).join("L")}L${line(below).reverse().join("L")}Z`;
      draw("path", { "data-part": part, d: path }, svg);
    }
    below = above;
  }
  draw("path", { class: "total", d: `M${line(run.map((point) => point.power_w)).join("L")}` }, svg);
}

/** Say what the pointer is on; without a pointer, the range. */
function drawReadout(svg, known, x, base, otherwise) {
  let text = otherwise;
  if (cursorX !== null) {
    const nearest = known.reduce((best, point) =>
      Math.abs(x(point.unix_s) - cursorX) < Math.abs(x(best.unix_s) - cursorX) ? point : best);
    const at = x(nearest.unix_s);
    draw("line", { class: "cursor", x1: at, x2: at, y1: 0, y2: base }, svg);
    const parts = PARTS.filter((part) => part in nearest.components_w)
      .map((part) => `${NAMES[part]} ${watts(nearest.components_w[part])}`);
    text = `${clock(nearest.unix_s)} · ${watts(nearest.power_w)} · ${parts.join(", ")}`;
  }
  setText($("chart-readout"), text);
}

// --- the loop ----------------------------------------------------------------

let last = null;
let lastTickMs = 0;
let timer = null;

async function update() {
  clearTimeout(timer);
  try {
    const after = points.length ? points.at(-1).unix_s : 0;
    const [node, jobs, intensity] = await Promise.all([
      ask(`api/v1/node?history_after_unix_s=${after}`), ask("api/v1/jobs"), ask("api/v1/intensity")]);
    remember(node.history);
    // By our own clock: the reader's and the node's may differ by hours.
    if (!last || last.unix_s !== node.unix_s) lastTickMs = performance.now();
    last = node;
    setText($("node"), node.node);
    document.title = `${watts(node.power_w)} · ${node.node} · jouled`;
    drawPower(node);
    drawComponents(node);
    drawCarbon(intensity, node);
    drawJobs(jobs, node);
    drawSplit(node);
    drawDevices(node);
    drawSources(node);
    drawAbout(node);
    drawChart(node.interval_s);
    const ageS = (performance.now() - lastTickMs) / 1000;
    if (ageS > Math.max(10, 5 * node.interval_s)) setState("lost", `no new sample since ${clock(node.unix_s)}`);
    else setState("live", "live");
  } catch (error) {
    if (error.message === "starting") setState("starting", "starting: the first sample is not there yet");
    else setState("lost", last ? `no answer since ${clock(last.unix_s)}; trying again` : "no answer from the daemon; trying again");
  }
  if (!document.hidden) timer = setTimeout(update, EVERY_MS);
}

function redraw() {
  if (last) drawChart(last.interval_s);
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) update(); });
new ResizeObserver(redraw).observe($("chart"));
$("chart").addEventListener("pointermove", (event) => {
  cursorX = event.clientX - $("chart").getBoundingClientRect().left;
  redraw();
});
$("chart").addEventListener("pointerleave", () => {
  cursorX = null;
  redraw();
});
update();
