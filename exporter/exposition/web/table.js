// Tables that can be sorted, show their first rows until asked for all, and become small
// cards on a phone, where the heads of the columns stay as buttons to sort by.

import { $, add, keyed, setTag, setText, showNotice } from "./page.js";
import { UNKNOWN, whole } from "./words.js";

const FIRST_ROWS = 12;
const LONG = 40;

/**
 * Make a table of <table id> with an empty thead and tbody, in <div class="scroll">.
 *
 * A column is {label, className, cell, sort, first, when}: cell(item) returns the text, or [text,
 * text below it, tag], or {text, sub, tag, meter} with a ratio for a bar; sort(item)
 * returns what the column is sorted by, a number, a string or null (which comes last
 * either way); without it there is no button. first is "down" where the most comes first.
 * when(items) says whether there is anything to show in it. The first column heads its row.
 *
 * Options: keyOf(item), sortedBy (the index of a column; -1 keeps the order that is
 * given), mark(row, item) to mark a row, rows to show at first.
 */
export function makeTable(id, columns, { keyOf, sortedBy = -1, mark = () => {}, rows = FIRST_ROWS }) {
  const table = $(id);
  const region = table.parentElement;
  const state = { items: [], by: sortedBy, down: columns[sortedBy]?.first === "down", all: false };
  const more = add(region.parentElement, "button", "button more-rows");
  more.type = "button";
  more.setAttribute("aria-controls", id);
  region.after(more);
  headTable(table, columns, (index) => {
    state.down = state.by === index ? !state.down : columns[index].first === "down";
    state.by = index;
    draw();
  });
  more.addEventListener("click", () => {
    state.all = !state.all;
    draw();
  });

  function draw() {
    const wanted = columns.map(({ when }) => when === undefined || when(state.items));
    markHeads(table, columns, state, wanted);
    const sorted = state.by < 0 ? state.items : inOrder(state.items, columns[state.by].sort, state.down);
    // One row more is shown rather than hidden behind a button.
    const some = sorted.length > rows + 1;
    const shown = some && !state.all ? sorted.slice(0, rows) : sorted;
    keyed(table.tBodies[0], shown, keyOf, () => makeRow(columns), (row, item) => {
      mark(row, item);
      columns.forEach((column, index) => {
        row.cells[index].hidden = !wanted[index];
        fillCell(row.cells[index], column.cell(item), index);
      });
    });
    table.hidden = sorted.length === 0;
    more.hidden = !some;
    more.setAttribute("aria-expanded", String(state.all));
    setText(more, state.all ? `Show the first ${rows} only` : `Show all ${whole.format(sorted.length)}`);
    // A place to stop at with the keyboard only if there is something to scroll.
    if (region.scrollWidth > region.clientWidth) region.tabIndex = 0;
    else region.removeAttribute("tabindex");
  }

  return {
    /** Show items; without any, the words of empty. */
    show(items, empty) {
      state.items = items;
      draw();
      showNotice(`${id}-empty`, items.length ? "" : empty);
    },
  };
}

function inOrder(items, valueOf, down) {
  const sign = down ? -1 : 1;
  return items.map((item) => [valueOf(item), item]).sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "string") return sign * a.localeCompare(b, "en", { numeric: true });
    return sign * (a - b);
  }).map(([, item]) => item);
}

/** Say the roles aloud: on a phone the style makes cards of rows, and tables lose them. */
function headTable(table, columns, sortBy) {
  table.setAttribute("role", "table");
  table.tHead.setAttribute("role", "rowgroup");
  table.tBodies[0].setAttribute("role", "rowgroup");
  const row = add(table.tHead, "tr");
  row.setAttribute("role", "row");
  columns.forEach((column, index) => {
    const cell = add(row, "th", column.className);
    cell.scope = "col";
    cell.setAttribute("role", "columnheader");
    if (!column.sort) {
      cell.textContent = column.label;
      return;
    }
    const button = add(cell, "button", "sort", column.label);
    button.type = "button";
    button.addEventListener("click", () => sortBy(index));
  });
}

function markHeads(table, columns, state, wanted) {
  columns.forEach((column, index) => {
    const cell = table.tHead.rows[0].cells[index];
    cell.hidden = !wanted[index];
    if (!column.sort) return;
    if (index !== state.by) cell.removeAttribute("aria-sort");
    else cell.setAttribute("aria-sort", state.down ? "descending" : "ascending");
  });
}

function makeRow(columns) {
  const row = document.createElement("tr");
  row.setAttribute("role", "row");
  columns.forEach(({ label, className }, index) => {
    const cell = add(row, index ? "td" : "th", className);
    cell.setAttribute("role", index ? "cell" : "rowheader");
    if (index) cell.dataset.label = label;
    else cell.scope = "row";
    add(cell, "span", "main");
    add(cell, "span", "sub");
  });
  return row;
}

function fillCell(cell, found, index) {
  const { text, sub = "", tag = "", meter } = read(found);
  setText(cell.children[0], text);
  setText(cell.children[1], sub);
  cell.children[1].hidden = sub === "";
  // Of a long one only the begin is seen.
  cell.children[1].title = sub.length > LONG ? sub : "";
  cell.classList.toggle("blank", index > 0 && text === UNKNOWN);
  setTag(cell, tag);
  let bar = cell.querySelector(".meter");
  if (meter === undefined || meter === null) {
    if (bar) bar.remove();
    return;
  }
  if (!bar) {
    bar = add(cell, "span", "meter");
    bar.setAttribute("aria-hidden", "true");
    add(bar, "span", "fill");
  }
  bar.firstChild.style.width = `${Math.min(1, Math.max(0, meter)) * 100}%`;
}

function read(found) {
  if (typeof found === "string") return { text: found };
  if (!Array.isArray(found)) return found;
  const [text, sub, tag] = found;
  return { text, sub, tag };
}
