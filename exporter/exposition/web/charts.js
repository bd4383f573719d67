// Charts in SVG, one unit to a pixel. Each says in words what it shows, and can be read
// point by point with the pointer or, once it has the focus, with the arrow keys.

import { add, keyed, setLabel, setText } from "./page.js";
import { clock, duration, hours } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const HOUR_S = 3600;

function draw(tag, attributes, parent, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}

/** The next round number, to end an axis at. */
export function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((candidate) => candidate * power >= value * 0.999999);
  return step * power;
}

/** Marks of an axis of time that ends now: how long ago. */
export function agoMarks(from, to) {
  const steps = [15, 30, 60, 120, 300, 600, 900, 1800, 3600];
  const step = steps.find((candidate) => (to - from) / candidate <= 5) ?? (to - from) / 4;
  const marks = [[to, "now"]];
  for (let ago = step; ago <= to - from + 1; ago += step) marks.push([to - ago, `−${duration(ago)}`]);
  return marks;
}

/** Marks of an axis of time at full hours of the clock, no more than most. */
export function clockMarks(from, to, most = 7) {
  const step = [1, 2, 3, 4, 6, 12, 24].map((h) => h * HOUR_S).find((s) => (to - from) / s <= most) ?? 86400;
  const shift = new Date(from * 1000).getTimezoneOffset() * 60;
  const marks = [];
  for (let at = Math.ceil((from - shift) / step) * step + shift; at <= to; at += step) marks.push([at, hours(at)]);
  return marks;
}

/**
 * Make a chart in an empty <figure class="chart">.
 *
 * What is shown is one of
 *   areas: {times, series: [{key, name, part, values}]}: stacked from the bottom, with a
 *     line on top; as many values as times, null is a gap;
 *   steps: {slots: [{from, to, value, mark}]}, such as a forecast; mark: it stands out;
 * with from, to (unix s), marks [[unix s, text]], gapS (a longer pause is a gap),
 * format(value) and axis(value) for words and for the axis, label (in words what is seen),
 * caption (said below while nobody points) and empty (said while there is nothing).
 */
export function makeChart(figure) {
  const svg = draw("svg", { role: "img" }, figure);
  const caption = add(figure, "figcaption");
  let shown = null;
  let pointed = null; // unix s
  let drawnSize = "";

  const size = () => `${svg.clientWidth} ${svg.clientHeight}`;

  function render() {
    if (shown === null || svg.clientWidth === 0) return;
    svg.replaceChildren();
    const stops = stopsOf(shown);
    svg.dataset.empty = String(stops.length === 0);
    setLabel(svg, stops.length ? shown.label : shown.empty);
    if (stops.length) svg.tabIndex = 0;
    else svg.removeAttribute("tabindex");
    if (!stops.length) {
      setText(caption, shown.empty);
      drawnSize = size();
      return;
    }
    drawnSize = size();
    const plot = frame(svg, shown);
    if (shown.slots) drawSteps(svg, shown, plot);
    else drawSeries(svg, shown, plot);
    drawMarks(svg, shown, plot);
    setText(caption, pointed === null ? shown.caption : readout(svg, shown, plot, stops, pointed));
  }

  function point(unixS, aloud) {
    pointed = unixS;
    // Only who asks with the keyboard is told; what changes by itself stays silent.
    caption.setAttribute("aria-live", aloud ? "polite" : "off");
    render();
  }

  svg.addEventListener("pointermove", (event) => {
    if (shown === null || !stopsOf(shown).length) return;
    const plot = scales(svg, shown);
    point(plot.timeAt(event.clientX - svg.getBoundingClientRect().left), false);
  });
  svg.addEventListener("pointerleave", () => point(null, false));
  svg.addEventListener("blur", () => point(null, false));
  svg.addEventListener("keydown", (event) => {
    const stops = shown === null ? [] : stopsOf(shown);
    if (!stops.length) return;
    const here = pointed === null ? stops.length - 1 : nearest(stops, pointed);
    const stride = event.shiftKey ? 10 : 1;
    const next = {
      ArrowLeft: pointed === null ? here : here - stride,
      ArrowRight: pointed === null ? here : here + stride,
      Home: 0,
      End: stops.length - 1,
    }[event.key];
    if (event.key === "Escape") point(null, true);
    if (next === undefined) return;
    event.preventDefault();
    point(stops[Math.max(0, Math.min(stops.length - 1, next))], true);
  });
  new ResizeObserver(render).observe(svg);

  return {
    show(options) {
      shown = options;
      render();
      // What is filled after the chart may have taken some of its room. The observer
      // does not tell if it had that size before.
      requestAnimationFrame(() => { if (size() !== drawnSize) render(); });
    },
  };
}

// --- where things are ----------------------------------------------------------

function stopsOf({ slots, times, series, from }) {
  if (slots) return slots.map((slot) => (slot.from + slot.to) / 2);
  const known = times.filter((time, index) => time >= from && series.some(({ values }) => values[index] !== null));
  return known.length < 2 ? [] : known;
}

function nearest(stops, unixS) {
  let best = 0;
  stops.forEach((stop, index) => {
    if (Math.abs(stop - unixS) < Math.abs(stops[best] - unixS)) best = index;
  });
  return best;
}

const totalAt = (series, index) => {
  const known = series.map(({ values }) => values[index]).filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) : null;
};

function highest({ slots, times, series }) {
  if (slots) return Math.max(...slots.map((slot) => slot.value));
  return Math.max(...times.map((_, index) => totalAt(series, index) ?? 0));
}

function scales(svg, shown) {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const text = 0.8125 * rem;
  const top = niceCeiling(Math.max(highest(shown) * 1.03, shown.least ?? 1));
  const axis = [0, 0.5, 1].map((share) => [top * share, shown.axis(top * share)]);
  const left = Math.max(...axis.map(([, words]) => words.length)) * text * 0.66 + text * 0.6;
  const right = svg.clientWidth - text * 0.3;
  const base = svg.clientHeight - text * 1.7;
  const high = text * 0.7;
  const span = shown.to - shown.from;
  return {
    axis, left, right, base, high, text,
    x: (unixS) => left + ((unixS - shown.from) / span) * (right - left),
    y: (value) => base - (value / top) * (base - high),
    timeAt: (x) => shown.from + ((x - left) / (right - left)) * span,
  };
}

function frame(svg, shown) {
  const plot = scales(svg, shown);
  for (const [value, words] of plot.axis) {
    const y = Math.round(plot.y(value)) + 0.5;
    draw("line", { class: "grid", x1: plot.left, x2: plot.right, y1: y, y2: y }, svg);
    draw("text", { x: plot.left - plot.text * 0.5, y, "text-anchor": "end", "dominant-baseline": "central" }, svg, words);
  }
  return plot;
}

function drawMarks(svg, { marks }, plot) {
  const room = plot.text * 2;
  const taken = [];
  for (const [unixS, words] of marks) {
    const x = plot.x(unixS);
    const anchor = x > plot.right - room ? "end" : x < plot.left + room ? "start" : "middle";
    const width = words.length * plot.text * 0.6;
    const begin = { start: x, middle: x - width / 2, end: plot.right - width }[anchor];
    // On a narrow screen there is no room for all: the first ones are kept.
    if (taken.some(([from, to]) => begin < to && begin + width > from)) continue;
    taken.push([begin - plot.text * 0.7, begin + width + plot.text * 0.7]);
    draw("text", { x: anchor === "end" ? plot.right : x, y: plot.base + plot.text * 1.45, "text-anchor": anchor }, svg, words);
  }
}

// --- what is drawn ---------------------------------------------------------------

/** Cut where nothing was known, or nothing was said for a while. */
function unbroken({ times, series, gapS, from }) {
  const runs = [];
  times.forEach((time, index) => {
    if (time < from || series.every(({ values }) => values[index] === null)) return;
    const run = runs.at(-1);
    const before = run?.at(-1);
    if (before === index - 1 && time - times[before] <= gapS) run.push(index);
    else runs.push([index]);
  });
  return runs;
}

function drawSeries(svg, shown, plot) {
  const { times, series } = shown;
  for (const run of unbroken(shown)) {
    const below = new Map(run.map((index) => [index, 0]));
    for (const one of series) {
      if (run.every((index) => !one.values[index])) continue;
      const floor = points([...run].reverse(), (index) => below.get(index), times, plot);
      for (const index of run) below.set(index, below.get(index) + (one.values[index] ?? 0));
      const edge = points(run, (index) => below.get(index), times, plot);
      draw("path", { "data-part": one.part, d: `M${edge.join("L")}L${floor.join("L")}Z` }, svg);
    }
    draw("path", { class: "total", d: path(run, (index) => below.get(index), times, plot) }, svg);
  }
}

function points(run, valueOf, times, plot) {
  return run.map((index) => `${plot.x(times[index]).toFixed(1)} ${plot.y(valueOf(index)).toFixed(1)}`);
}

const path = (run, valueOf, times, plot) => `M${points(run, valueOf, times, plot).join("L")}`;

function drawSteps(svg, { slots }, plot) {
  slots.forEach((slot, index) => {
    const [x1, x2] = [plot.x(slot.from), plot.x(slot.to)];
    const y = plot.y(slot.value);
    // Narrow ones stand without a gap: stripes would flicker.
    const gap = x2 - x1 > 6 ? 1 : 0;
    draw("rect", { class: slot.mark ? "slot marked" : "slot", x: x1 + gap / 2, width: Math.max(0, x2 - x1 - gap), y, height: Math.max(0, plot.base - y) }, svg);
    const before = slots[index - 1];
    const joins = before && slot.from - before.to < 1;
    draw("path", { class: "total", d: `M${x1} ${joins ? plot.y(before.value) : y}V${y}H${x2}` }, svg);
  });
}

function readout(svg, shown, plot, stops, pointed) {
  const { slots, times, series, format } = shown;
  const stop = stops[nearest(stops, pointed)];
  const x = plot.x(stop);
  draw("line", { class: "cursor", x1: x, x2: x, y1: plot.high, y2: plot.base }, svg);
  if (slots) {
    const slot = slots.find((one) => one.from <= stop && stop < one.to);
    return `${hours(slot.from)} to ${hours(slot.to)}: ${format(slot.value)}`;
  }
  const index = times.indexOf(stop);
  const named = series.filter(({ values }) => values[index]).map(({ name, values }) => `${name} ${format(values[index])}`);
  return [clock(stop), format(totalAt(series, index)), named.join(", ")].join(" · ");
}

// --- beside charts ------------------------------------------------------------------

/** Name the colours of a chart. A part is {key, part, name, value}. */
export function fillLegend(list, parts) {
  keyed(list, parts, (part) => part.key, () => {
    const item = document.createElement("li");
    add(item, "span", "name");
    add(item, "span", "value");
    return item;
  }, (item, part) => {
    item.dataset.part = part.part;
    setText(item.children[0], part.name);
    setText(item.children[1], part.value ?? "");
  });
}

/** Make a line as small as a word; what it says has to stand in words beside it. */
export function makeSparkline() {
  return document.createElementNS(SVG, "svg");
}

/** Show values from the oldest to the newest, all of them from 0 upwards; null is a gap. */
export function showSparkline(svg, values) {
  svg.setAttribute("class", "spark");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("viewBox", "0 0 100 24");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.replaceChildren();
  const top = Math.max(...values) || 1;
  let pen = "M";
  const steps = values.map((value, index) => {
    if (value === null) {
      pen = "M";
      return "";
    }
    const step = `${pen}${((index / (values.length - 1)) * 100).toFixed(1)} ${(23 - (value / top) * 22).toFixed(1)}`;
    pen = "L";
    return step;
  });
  if (values.length > 1) draw("path", { d: steps.join("") }, svg);
}
