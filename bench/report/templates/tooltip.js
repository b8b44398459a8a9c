// Tooltips: a dot's figures, and a curve's value nearest to the pointer.
const tooltip = byId("tooltip");

function say(text, x, y) {
  tooltip.textContent = text;
  tooltip.hidden = false;
  const { width, height } = tooltip.getBoundingClientRect();
  tooltip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 4))}px`;
  tooltip.style.top = `${y + 16 + height > innerHeight ? Math.max(4, y - height - 12) : y + 16}px`;
}

function hush() {
  tooltip.hidden = true;
  for (const pointer of document.querySelectorAll(".pointer")) pointer.setAttribute("visibility", "hidden");
}

function nearest(svg, x) {
  const nearby = [];
  for (const course of svg.querySelectorAll("[data-points]")) {
    const points = course.dataset.points.split(";").map((point) => point.split(" ").map(Number));
    const best = points.reduce((a, b) => (Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a));
    nearby.push([course.dataset.title, best]);
  }
  return nearby;
}

document.addEventListener("pointerover", (event) => {
  const dot = event.target.closest("[data-description]");
  if (dot) say(dot.dataset.description, event.clientX, event.clientY);
});
document.addEventListener("pointerout", (event) => {
  if (event.target.closest("[data-description], .curve")) hush();
});
function sayFocused() {
  const dot = document.activeElement?.closest("[data-description]");
  if (!dot) return document.querySelector("[data-description]:hover") || hush();
  const box = dot.getBoundingClientRect();
  say(dot.dataset.description, box.right, box.bottom);
}

document.addEventListener("focusin", sayFocused);
document.addEventListener("focusout", hush);
document.addEventListener("keydown", (event) => event.key === "Escape" && hush());
addEventListener("scroll", () => tooltip.hidden || sayFocused(), { passive: true }); // a dot with focus is scrolled to
document.addEventListener("pointermove", (event) => {
  const svg = event.target.closest("svg.curve");
  if (!svg) return;
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  const nearby = nearest(svg, at.x);
  const lines = nearby.map(([title, [, , place, value]]) => `${title}: ${value} at ${place.toLocaleString("en")} ${svg.dataset.unit}`);
  if (!nearby.length) return;
  const [px, py] = nearby[0][1];
  const pointer = svg.querySelector(".pointer");
  pointer.setAttribute("cx", px);
  pointer.setAttribute("cy", py);
  pointer.setAttribute("visibility", "visible");
  say(lines.join("\n"), event.clientX, event.clientY);
});
