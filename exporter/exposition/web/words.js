// Numbers and times as words for people. What is not known is a dash, never 0.

export const UNKNOWN = "–";
export const JOULES_PER_KWH = 3.6e6;
const JOULES_PER_WH = JOULES_PER_KWH / 1e3;

export const NAMES = {
  cpu: "CPU", dram: "Memory", gpu: "GPU", platform: "Platform", node: "Node", workloads: "Jobs",
};

/** The tag of what was not measured: "estimated", "simulated", or none. */
export const notMeasured = (quality) => (quality === "estimated" || quality === "simulated" ? quality : "");

export const plain = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
export const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const aligned = new Intl.NumberFormat("en", { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });

const WATTS = [[1, "W"], [1e3, "kW"], [1e6, "MW"]];
const GRAMS = [[1e-3, "mg"], [1, "g"], [1e3, "kg"], [1e6, "t"]];
// Half a watt-hour rather than kilojoules: both in one column cannot be compared.
const JOULES = [[1, "J"], [JOULES_PER_WH, "Wh", 0.1], [JOULES_PER_KWH, "kWh"],
  [JOULES_PER_KWH * 1e3, "MWh"], [JOULES_PER_KWH * 1e6, "GWh"]];
const BYTES = [[1, "B"], [2 ** 20, "MiB"], [2 ** 30, "GiB"], [2 ** 40, "TiB"]];

/**
 * Return [number, unit] with three digits; null for what is not known. A unit is [factor,
 * name], and is taken from 1 on, or from the third of them.
 */
export function scaled(value, units) {
  if (value === null || value === undefined) return null;
  if (value === 0) return ["0", (units.find(([factor]) => factor === 1) ?? units[0])[1]];
  let [factor, unit] = units[0];
  for (const [next, name, from = 1] of units) {
    // Rounded first: 999.7 W is 1 kW, not 1,000 W.
    if (Number(Math.abs(value).toPrecision(3)) >= next * from) [factor, unit] = [next, name];
  }
  const number = value / factor;
  // What is left of a rounding is not worth its digits.
  if (Math.abs(number) < 1e-3) return ["< 0.001", unit];
  if (Math.abs(number) >= 1000) return [whole.format(number), unit];
  return [(Number.isInteger(number) ? plain : aligned).format(number), unit];
}

const joined = (pair) => (pair === null ? UNKNOWN : pair.join(" "));

export const wattParts = (w) => scaled(w, WATTS);
export const energyParts = (j) => scaled(j, JOULES);
export const gramParts = (g) => scaled(g, GRAMS);
export const watts = (w) => joined(wattParts(w));
export const energy = (j) => joined(energyParts(j));
export const grams = (g) => joined(gramParts(g));
export const bytes = (b) => {
  const pair = scaled(b, BYTES);
  return pair === null ? UNKNOWN : `${plain.format(Number(pair[0].replace(/,/g, "")))} ${pair[1]}`;
};
/** For an axis: 1.5 kW, but 3 kW and not 3.00 kW. */
export const wattMark = (w) => {
  const pair = wattParts(w);
  return `${Number(pair[0])} ${pair[1]}`;
};
/** What a job is called beside its number; "" if nobody says. */
export const jobName = (job) => job.info.name || job.info.workload_name || job.pod;

export const celsius = (c) => (c === null ? UNKNOWN : `${whole.format(c)} °C`);

export function percent(ratio) {
  if (ratio === null || ratio === undefined) return UNKNOWN;
  return ratio > 0 && ratio < 0.005 ? "< 1 %" : `${whole.format(ratio * 100)} %`;
}

export const count = (n, one, many) => `${whole.format(n)} ${n === 1 ? one : many}`;

/** What a sum lacks, of [component, devices] each; "" if nothing. */
export function missingDevices(components) {
  const lacking = components.filter(([, devices]) => devices > 0);
  return lacking.map(([name, devices]) => count(devices, `${NAMES[name] ?? name} device`, `${NAMES[name] ?? name} devices`)).join(", ");
}

export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 120) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

const at = (unixS, style) => new Date(unixS * 1000).toLocaleTimeString("en-GB", style);

export const clock = (unixS) => at(unixS);
export const hours = (unixS) => at(unixS, { hour: "2-digit", minute: "2-digit" });
export const date = (unixS) => new Date(unixS * 1000)
  .toLocaleDateString("en-GB", { day: "numeric", month: "short" });
/** The time of the clock, with the day once it could be taken for another one's. */
export const moment = (unixS) => (Math.abs(Date.now() / 1000 - unixS) < 43200 ? clock(unixS)
  : `${date(unixS)} ${clock(unixS)}`);
