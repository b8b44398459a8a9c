// Details: one dialog with the sources of a figure, or with a picture.
let DATA = JSON.parse(byId("data").textContent);
const dialog = byId("dialog");
let opener = null;

function make(tag, ...children) {
  const element = document.createElement(tag);
  element.append(...children);
  return element;
}

function facts(pairs) {
  const list = make("dl");
  for (const [name, text] of pairs) list.append(make("dt", name), make("dd", text));
  return list;
}

function folded(title, pairs) {
  return make("details", make("summary", title), facts(pairs));
}

function ofFigure(id, key) {
  const row = DATA.details[id];
  const own = key.split(".").pop();
  const from = row.from.filter((source) => own in source.figures);
  const ends = row.intervals[own];
  const [metric, ...about] = DATA.columns[key];
  const interval = ends === undefined ? "none: taken as exact" : `${ends}, 95% ${row.over}`;
  const parts = [facts([["figure", row.figures[own]], ["interval", interval], metric, ...about])];
  for (const flag of row.flags) parts.push(make("p", `† ${flag}`));
  parts[0].dataset.part = "figure";
  parts.push(make("h3", from.length > 1 ? "Runs, by training seed" : "Run"), runs(from, own));
  for (const fingerprint of new Set(from.map((source) => source.protocol))) {
    const [sentence, ...fields] = DATA.protocols[fingerprint];
    parts.push(make("h3", `Protocol ${fingerprint}`), make("p", sentence[1]), folded("Each of its fields", fields));
  }
  parts.push(make("h3", "Training, code and hardware"));
  from.forEach((source, place) => {
    const pairs = DATA.runs[source.run];
    parts.push(place === 0 ? facts(pairs) : folded(source.run, pairs));
  });
  return [`${row.name}: ${metric[1]}`, parts];
}

function runs(from, own) {
  const list = make("ul");
  for (const source of from) {
    const ends = source.intervals[own] === undefined ? "" : ` (${source.intervals[own]})`;
    const timed = source.timed ? `; timed: ${source.timed}` : "";
    list.append(make("li", make("b", source.run), `, seed ${source.seed}: ${source.figures[own]}${ends}${timed}`));
  }
  return list;
}

function ofPicture(button) {
  const image = button.querySelector("img").cloneNode();
  const natural = Number(image.getAttribute("width"));
  const room = Math.min(innerWidth * 0.9, 1300);
  const times = image.classList.contains("small-picture") ? Math.max(1, Math.floor(room / natural / 1.15)) : 1;
  image.width = natural * Math.min(times, 4);
  image.removeAttribute("height");
  return [button.dataset.title, [image, make("p", image.alt)]];
}

function show(element) {
  const [title, parts] = element.matches(".picture")
    ? ofPicture(element)
    : ofFigure(element.dataset.details, element.dataset.key);
  opener = element;
  byId("dialog-title").textContent = title;
  byId("dialog-body").replaceChildren(...parts);
  dialog.showModal();
  byId("dialog-body").scrollTop = 0;
}

const OPENS = "[data-details], .picture";
document.addEventListener("click", (event) => {
  const element = event.target.closest(OPENS);
  if (element) show(element);
  if (event.target === dialog) dialog.close(); // the backdrop
});
document.addEventListener("keydown", (event) => {
  if (event.target.matches?.("g[data-details]") && ["Enter", " "].includes(event.key)) {
    event.preventDefault();
    show(event.target);
  }
});
byId("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => twin(opener)?.focus());

// The same control after the page was updated.
function twin(element) {
  if (!element || element.isConnected) return element;
  const { details, key, title } = element.dataset;
  return [...document.querySelectorAll(element.tagName)].find(
    (other) => other.dataset.details === details && other.dataset.key === key && other.dataset.title === title,
  );
}
