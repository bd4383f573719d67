// What the pages of node and hub have in common. Nothing that came from elsewhere
// (names of jobs, messages of drivers and providers) is ever parsed as HTML: text goes
// into text nodes only. Nodes are kept and changed in place, so that a selection, the
// focus and a screen reader's position survive an update.
"use strict";

const DEADLINE_MS = 10000;

const $ = (id) => document.getElementById(id);

// --- numbers for people ------------------------------------------------------

const UNKNOWN = "–";
const plain = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const aligned = new Intl.NumberFormat("en", { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

function scaled(value, units) {
  if (value === null || value === undefined) return null;
  let [factor, unit] = units[0];
  for (const [next, name] of units) {
    // Rounded first: 999.7 W is 1 kW, not 1,000 W.
    if (Number(Math.abs(value).toPrecision(3)) >= next) [factor, unit] = [next, name];
  }
  const number = value / factor;
  if (Math.abs(number) >= 1000) return [whole.format(number), unit];
  return [(Number.isInteger(number) ? plain : aligned).format(number), unit];
}

const JOULES_PER_KWH = 3.6e6;
const JOULES_PER_WH = JOULES_PER_KWH / 1e3;
const joined = (pair) => (pair === null ? UNKNOWN : pair.join(" "));
const grams = (g) => joined(g === 0 ? ["0", "g"] : scaled(g, [[1e-3, "mg"], [1, "g"], [1e3, "kg"], [1e6, "t"]]));
const energy = (j) => joined(scaled(j, [
  [1, "J"], [1e3, "kJ"], [JOULES_PER_WH, "Wh"], [JOULES_PER_KWH, "kWh"], [JOULES_PER_KWH * 1e3, "MWh"]]));
function percent(ratio) {
  if (ratio === null) return UNKNOWN;
  return ratio > 0 && ratio < 0.005 ? "< 1 %" : `${whole.format(ratio * 100)} %`;
}
const count = (n, one, many) => `${whole.format(n)} ${n === 1 ? one : many}`;

function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 120) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

const clock = (unixS) => new Date(unixS * 1000).toLocaleTimeString("en-GB");

// --- the page ----------------------------------------------------------------

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function setLabel(node, label) {
  if (node.getAttribute("aria-label") !== label) node.setAttribute("aria-label", label);
}

function add(parent, tag, className) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  parent.append(node);
  return node;
}

/** Keep one child per item, in order, making and removing only what has to be. */
function keyed(parent, items, keyOf, make, update) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  items.forEach((item, index) => {
    const key = keyOf(item);
    let node = old.get(key);
    if (node === undefined) {
      node = make(item);
      node.dataset.key = key;
    }
    old.delete(key);
    update(node, item);
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
  for (const node of old.values()) node.remove();
}

/** Put the words "estimated" or "fallback" behind something, or take them away. */
function setTag(parent, word) {
  let tag = parent.querySelector(":scope > .tag");
  if (!word) {
    if (tag) tag.remove();
    return;
  }
  if (!tag) tag = add(parent, "span", "tag");
  setText(tag, word);
}

function setAside(heading, text) {
  let aside = heading.querySelector(".aside");
  if (!aside) {
    if (!text) return;
    aside = add(heading, "span", "aside");
  }
  setText(aside, text);
}

function showEmpty(id, message) {
  const notice = $(id);
  notice.hidden = message === "";
  setText(notice, message);
}

/** Say the roles aloud: on a phone the style makes cards of rows, and tables lose them. */
function headTable(table, columns) {
  table.setAttribute("role", "table");
  table.tHead.setAttribute("role", "rowgroup");
  table.tBodies[0].setAttribute("role", "rowgroup");
  const row = add(table.tHead, "tr");
  row.setAttribute("role", "row");
  for (const [label, className] of columns) {
    const cell = add(row, "th", className);
    cell.scope = "col";
    cell.setAttribute("role", "columnheader");
    cell.textContent = label;
  }
}

function makeRow(columns) {
  const row = document.createElement("tr");
  row.setAttribute("role", "row");
  columns.forEach(([label, className], index) => {
    const cell = add(row, index ? "td" : "th", className);
    cell.setAttribute("role", index ? "cell" : "rowheader");
    if (index) cell.dataset.label = label;
    else cell.scope = "row";
    add(cell, "span", "main");
    add(cell, "span", "sub");
  });
  return row;
}

/**
 * Fill a table. A column is [label, class, cell]; cell(item) returns the text, or
 * [text, text below it, tag]. The first column heads its row.
 */
function fillTable(id, columns, items, keyOf, empty, mark = () => {}) {
  const table = $(id);
  if (!table.tHead.rows.length) headTable(table, columns);
  keyed(table.tBodies[0], items, keyOf, () => makeRow(columns), (row, item) => {
    mark(row, item);
    columns.forEach(([, , read], index) => {
      const cell = row.cells[index];
      const [main, sub = "", tag = ""] = [read(item)].flat();
      setText(cell.children[0], main);
      setText(cell.children[1], sub);
      cell.children[1].hidden = sub === "";
      cell.classList.toggle("blank", index > 0 && main === UNKNOWN);
      setTag(cell, tag);
    });
  });
  table.hidden = items.length === 0;
  // A place to stop at with the keyboard only if there is something to scroll.
  const region = table.parentElement;
  region.tabIndex = region.scrollWidth > region.clientWidth ? 0 : -1;
  showEmpty(`${id}-empty`, items.length ? "" : empty);
}

// --- charts and answers ------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";

function draw(tag, attributes, parent) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent.append(node);
  return node;
}

function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((candidate) => candidate * power >= value);
  return step * power;
}

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(DEADLINE_MS), cache: "no-store" });
  if (answer.status === 503) throw new Error("starting");
  if (!answer.ok) throw new Error(`answer ${answer.status}`);
  return answer.json();
}

function setState(state, text) {
  $("status").dataset.state = state;
  $("page").dataset.state = state;
  // Announced politely by screen readers, so only a change of state is said.
  setText($("status"), text);
}
