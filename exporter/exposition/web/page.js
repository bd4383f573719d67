// The parts of a page. Nothing that came from elsewhere (names of jobs, messages of
// drivers and providers) is ever parsed as HTML: text goes into text nodes only. Nodes
// are kept and changed in place, so that a selection, the focus and a screen reader's
// position survive an update.

export const $ = (id) => document.getElementById(id);

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setLabel(node, label) {
  if (node.getAttribute("aria-label") !== label) node.setAttribute("aria-label", label);
}

export function add(parent, tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  parent.append(node);
  return node;
}

/** Keep one child per item, in order, making and removing only what has to be. */
export function keyed(parent, items, keyOf, make, update) {
  const wanted = new Set(items.map(keyOf));
  const old = new Map();
  // Removed first: whoever follows keeps its place, and with it the focus. Items that go
  // by the same key are made anew each time.
  for (const node of [...parent.children]) {
    if (wanted.has(node.dataset.key) && !old.has(node.dataset.key)) old.set(node.dataset.key, node);
    else node.remove();
  }
  items.forEach((item, index) => {
    const key = keyOf(item);
    let node = old.get(key);
    if (node === undefined) {
      node = make(item);
      node.dataset.key = key;
    }
    old.delete(key);
    update(node, item, index);
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
}

/**
 * Put a badge behind something, or take it away ("" as word). Its kind is one of
 * measured, estimated, fallback, stale, fault, simulated, and gives it sign and colour;
 * the word says the same to who sees neither.
 */
export function setTag(parent, word, kind = word) {
  let tag = parent.querySelector(":scope > .tag");
  if (!word) {
    if (tag) tag.remove();
    return;
  }
  if (!tag) tag = add(parent, "span", "tag");
  tag.dataset.kind = kind;
  setText(tag, word);
}

/** Say a few words beside a heading. */
export function setAside(heading, text) {
  let aside = heading.querySelector(".aside");
  if (!aside) {
    if (!text) return;
    aside = add(heading, "span", "aside");
  }
  setText(aside, text);
}

/** Show a notice with a message; "" hides it. */
export function showNotice(id, message) {
  const notice = $(id);
  notice.hidden = message === "";
  setText(notice, message);
}

/** Fill <p class="figure"><span>number</span><span class="unit">…; pair may be null. */
export function setFigure(figure, pair, unknown = "–") {
  setText(figure.children[0], pair === null ? unknown : pair[0]);
  setText(figure.children[1], pair === null ? "" : pair[1]);
}

/** Set how far a meter goes: a bar beside words that say the same. */
export function setMeter(meter, ratio) {
  if (!meter.firstChild) add(meter, "div", "fill");
  meter.setAttribute("aria-hidden", "true");
  meter.firstChild.style.width = `${Math.min(1, Math.max(0, ratio ?? 0)) * 100}%`;
}

/**
 * Fill <dl class="facts">. A fact is [name, text], or [name, text, badge]; one whose
 * text is null is left out.
 */
export function setFacts(list, facts) {
  const make = () => {
    const fact = document.createElement("div");
    add(fact, "dt");
    add(fact, "dd");
    return fact;
  };
  keyed(list, facts.filter(([, text]) => text !== null), ([name]) => name, make, (fact, [name, text, word = ""]) => {
    setText(fact.children[0], name);
    const value = fact.children[1];
    if (!value.firstChild) add(value, "span");
    setText(value.firstChild, text);
    setTag(value, word);
  });
}

/**
 * Fill <ul class="bars">: what there is, how much of it, and how it is with the rest. An
 * item is {key, name, part, value, ratio, more, tag, kind, side}; the last five may be
 * left out.
 */
export function fillBars(list, items) {
  const make = () => {
    const item = document.createElement("li");
    const row = add(item, "div", "row");
    add(row, "span", "name");
    add(row, "span", "side");
    add(row, "span", "value");
    add(item, "div", "meter");
    add(item, "p", "more");
    return item;
  };
  keyed(list, items, (item) => item.key, make, (node, item) => {
    if (item.part) node.dataset.part = item.part;
    node.dataset.fault = String(item.kind === "fault");
    const row = node.firstChild;
    setText(row.children[0], item.name);
    setText(row.children[1], item.side ?? "");
    setText(row.querySelector(".value"), item.value);
    setTag(row, item.tag ?? "", item.kind ?? item.tag);
    setMeter(node.children[1], item.ratio);
    const more = node.children[2];
    more.hidden = !item.more;
    setText(more, item.more ?? "");
  });
}

/**
 * Fill one bar with parts side by side, and its legend. A part is {key, part, name, value,
 * share, more}; the label says the same in words.
 */
export function fillStack(bar, legend, parts, label) {
  keyed(bar, parts, (part) => part.key, () => document.createElement("span"), (piece, part) => {
    piece.dataset.part = part.part;
    piece.style.flexGrow = String(part.share);
  });
  bar.hidden = parts.length === 0;
  setLabel(bar, label);
  const make = () => {
    const item = document.createElement("li");
    add(item, "span", "name");
    add(item, "span", "value");
    add(item, "span", "more");
    return item;
  };
  keyed(legend, parts, (part) => part.key, make, (item, part) => {
    item.dataset.part = part.part;
    setText(item.children[0], part.name);
    setText(item.children[1], part.value);
    setText(item.children[2], part.more ?? "");
  });
}

/**
 * Fill <ul class="sources">: who is asked and how that goes. An item is {key, name,
 * state, up, fault, more, message, tag}.
 */
export function fillSources(list, items) {
  const make = () => {
    const item = document.createElement("li");
    const row = add(item, "div", "row");
    add(row, "span", "name");
    add(row, "span", "state");
    add(item, "p", "more");
    add(item, "p", "message");
    return item;
  };
  keyed(list, items, (item) => item.key, make, (node, item) => {
    node.dataset.up = String(item.up);
    node.dataset.fault = String(item.fault);
    const row = node.firstChild;
    setText(row.querySelector(".name"), item.name);
    setText(row.querySelector(".state"), item.state);
    setTag(row, item.tag ?? "");
    setText(node.children[1], item.more);
    node.children[2].hidden = !item.message;
    setText(node.children[2], item.message ?? "");
  });
}
