// Light or dark: what the system says, unless somebody chose. It runs before anything is
// drawn, so that a dark room sees no flash of white.
"use strict";

(() => {
  const CHOICES = ["auto", "light", "dark"];
  const KEY = "jouled-colours";
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = "auto";
  try {
    chosen = localStorage.getItem(KEY) ?? "auto";
  } catch {
    // A browser may keep nothing; then the choice is for this visit.
  }
  if (!CHOICES.includes(chosen)) chosen = "auto";

  function apply() {
    const dark = chosen === "dark" || (chosen === "auto" && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    const button = document.getElementById("theme");
    if (button) button.textContent = `Colours: ${chosen}`;
  }

  apply();
  system.addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", () => {
    apply();
    document.getElementById("theme").addEventListener("click", () => {
      chosen = CHOICES[(CHOICES.indexOf(chosen) + 1) % CHOICES.length];
      try {
        localStorage.setItem(KEY, chosen);
      } catch {
        // As above.
      }
      apply();
    });
  });
})();
