// What is expected of a grid zone in the next day, as a chart.

import { clockMarks } from "./charts.js";
import { hours } from "./words.js";

const DAY_S = 86400;
const NEARLY = 0.08;

/**
 * Cut a forecast ([{begin_unix_s, slot_s, intensity_g_per_kwh}], in order of time) to the
 * next day, as slots of a chart; marked are those of a clean time ({begin_unix_s,
 * end_unix_s}), or without one the cleanest and those nearly as clean.
 */
export function nextDay(forecast, nowUnixS, clean = null) {
  const slots = forecast
    .map((point) => ({
      from: Math.max(point.begin_unix_s, nowUnixS),
      to: Math.min(point.begin_unix_s + point.slot_s, nowUnixS + DAY_S),
      value: point.intensity_g_per_kwh,
    }))
    .filter((slot) => slot.to > slot.from);
  const values = slots.map((slot) => slot.value);
  const most = Math.min(...values) + NEARLY * (Math.max(...values) - Math.min(...values));
  const within = (slot) => slot.from < clean.end_unix_s && slot.to > clean.begin_unix_s;
  return slots.map((slot) => ({ ...slot, mark: clean === null ? slot.value <= most : within(slot) }));
}

/** Show the next day of a grid zone, as nextDay() cut it. */
export function showForecast(chart, slots, { nowUnixS, zone, format }) {
  const empty = "Nobody tells a forecast.";
  if (!slots.length) {
    chart.show({ slots, empty });
    return;
  }
  const lowest = slots.reduce((best, slot) => (slot.value < best.value ? slot : best));
  const worst = slots.reduce((best, slot) => (slot.value > best.value ? slot : best));
  const range = `lowest ${format(lowest.value)} at ${hours(lowest.from)}, highest ${format(worst.value)} at ${hours(worst.from)}`;
  chart.show({
    slots, empty, format: (value) => `${format(value)} expected`, axis: format,
    from: nowUnixS, to: nowUnixS + DAY_S, marks: clockMarks(nowUnixS, nowUnixS + DAY_S, 5),
    label: `Forecast of ${zone} for the next 24 hours: ${range}`,
    caption: `Next 24 hours: ${range}.`,
  });
}
