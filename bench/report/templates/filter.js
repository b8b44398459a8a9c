"use strict";
// Filters: the selection is stored in the address, so that a filtered page can be linked.
const byId = (id) => document.getElementById(id);
const FILTERS = ["data-set", "preset", "family"];

function selection() {
  return Object.fromEntries(FILTERS.map((id) => [id, byId(id).value]));
}

function off(element, yes) {
  element.classList.toggle("off", yes);
}

function applyFilters() {
  const want = selection();
  const shown = { comparisons: 0, rows: 0 };
  const all = { comparisons: 0, rows: 0 };
  for (const comparison of document.querySelectorAll(".comparison")) {
    const here =
      (!want["data-set"] || comparison.dataset.set === want["data-set"]) &&
      (!want.preset || comparison.dataset.preset === want.preset);
    const members = [...comparison.querySelectorAll("[data-family]")];
    for (const member of members) off(member, want.family !== "" && member.dataset.family !== want.family);
    const left = members.filter((member) => !member.classList.contains("off"));
    for (const group of comparison.querySelectorAll("[data-group]")) {
      off(group, !group.querySelector("[data-family]:not(.off)"));
    }
    const visible = here && (want.family === "" || left.some((member) => member.matches("[data-row], figure")));
    off(comparison, !visible);
    const link = document.querySelector(`.contents a[href="#${comparison.id}"]`);
    if (link) off(link.parentElement, !visible);
    const rows = (list) => new Set(list.map((row) => row.dataset.row).filter((row) => row?.includes("-row"))).size;
    all.comparisons += 1;
    all.rows += rows(members);
    shown.comparisons += visible ? 1 : 0;
    shown.rows += visible ? rows(left) : 0;
  }
  const message = `${shown.comparisons} of ${all.comparisons} comparisons, ${shown.rows} of ${all.rows} rows`;
  if (byId("status").textContent !== message) byId("status").textContent = message;
  off(byId("nothing"), shown.comparisons > 0 || all.comparisons === 0);
}

function remember() {
  const words = new URLSearchParams(Object.entries(selection()).filter(([, value]) => value));
  history.replaceState(null, "", `#${words}`);
}

function recall() {
  if (!location.hash.includes("=") && location.hash.length > 1) return; // a link to a part of the page
  const words = new URLSearchParams(location.hash.slice(1));
  for (const id of FILTERS) {
    const select = byId(id);
    const value = words.get(id) ?? "";
    select.value = [...select.options].some((option) => option.value === value) ? value : "";
  }
}

for (const id of FILTERS) {
  byId(id).addEventListener("change", () => {
    remember();
    applyFilters();
  });
}
byId("clear").addEventListener("click", () => {
  for (const id of FILTERS) byId(id).value = "";
  remember();
  applyFilters();
});
byId("controls").addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", () => {
  recall();
  applyFilters();
});
recall();
applyFilters();

// Colours: light, dark, or as the system has them. A browser may refuse to remember.
const THEMES = { auto: "◐ auto", light: "☼ light", dark: "☾ dark" };

function paint(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  byId("theme").textContent = THEMES[theme];
  byId("theme").setAttribute("aria-label", `Colours: ${theme}`);
}

function storedTheme() {
  try {
    return localStorage.getItem("theme") in THEMES ? localStorage.getItem("theme") : "auto";
  } catch {
    return "auto";
  }
}

byId("theme").addEventListener("click", () => {
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(document.documentElement.dataset.theme ?? "auto") + 1) % names.length];
  paint(next);
  try {
    localStorage.setItem("theme", next);
  } catch {
    // the choice lasts for this visit
  }
});
paint(storedTheme());
