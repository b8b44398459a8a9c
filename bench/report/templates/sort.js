// Sorting: ascending, descending, and the order of the table. Cells without a figure come last in both directions.
const NEXT = { none: "ascending", ascending: "descending", descending: "none" };
const sorted = new Map(); // table -> [heading, direction]; kept when a served page is updated
const original = new WeakMap(); // row -> its place

function applySort(table) {
  const [heading, direction] = sorted.get(table.dataset.table) ?? ["", "none"];
  const heads = [...table.tHead.rows[0].cells];
  const column = heads.findIndex((head) => head.textContent === heading);
  const body = table.tBodies[0];
  const rows = [...body.rows];
  rows.forEach((row, place) => original.has(row) || original.set(row, place));
  const sign = { ascending: 1, descending: -1 }[direction] ?? 0;
  rows.sort((a, b) => compare(a, b, column, sign) || original.get(a) - original.get(b));
  body.append(...rows);
  heads.forEach((head, place) => {
    if (head.hasAttribute("aria-sort")) head.setAttribute("aria-sort", place === column ? direction : "none");
  });
}

function compare(a, b, column, sign) {
  if (!sign || column < 0) return 0;
  const [left, right] = [a.cells[column], b.cells[column]];
  if (column === 0) return sign * left.textContent.localeCompare(right.textContent, "en");
  const [x, y] = [left.dataset.value, right.dataset.value];
  if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
  return sign * (Number(x) - Number(y));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.sort");
  if (!button) return;
  const head = button.closest("th");
  const table = button.closest("table");
  sorted.set(table.dataset.table, [head.textContent, NEXT[head.getAttribute("aria-sort")]]);
  applySort(table);
});
