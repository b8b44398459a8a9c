// A served page: polls for changes every two seconds, and updates its content in place.
const EVERY = 2000; // milliseconds

async function renew() {
  const text = await (await fetch("/")).text();
  const page = new DOMParser().parseFromString(text, "text/html");
  if (!page.documentElement.dataset.version) return;
  const unfolded = [...document.querySelectorAll("main details[open]")].map((element) => element.id);
  const focused = byId("main").contains(document.activeElement) ? document.activeElement : null;
  const running = byId("running");
  byId("main").replaceChildren(...page.getElementById("main").childNodes);
  byId("running").replaceWith(running);
  DATA = JSON.parse(page.getElementById("data").textContent);
  for (const id of FILTERS) {
    const value = byId(id).value;
    byId(id).replaceChildren(...page.getElementById(id).childNodes);
    byId(id).value = value;
    if (byId(id).selectedIndex < 0) byId(id).value = "";
  }
  for (const id of unfolded) if (id) byId(id)?.setAttribute("open", "");
  for (const table of document.querySelectorAll("[data-table]")) if (sorted.has(table.dataset.table)) applySort(table);
  applyFilters();
  const again = focused && twin(focused);
  if (again) again.focus({ preventScroll: true });
  document.documentElement.dataset.version = page.documentElement.dataset.version;
}

let runningNow = "";
async function ask() {
  try {
    const state = await (await fetch("/state")).json();
    if (state.now !== runningNow) byId("running").innerHTML = runningNow = state.now;
    if (state.version !== document.documentElement.dataset.version) {
      const [x, y] = [scrollX, scrollY];
      await renew();
      scrollTo(x, y);
    }
    document.documentElement.classList.remove("lost");
  } catch {
    document.documentElement.classList.add("lost"); // the server has stopped; the content stays
  }
  setTimeout(ask, EVERY);
}
ask();
