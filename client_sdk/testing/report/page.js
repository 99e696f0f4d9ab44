
"use strict";
// Without this script the page shows the pictures side by side; it adds the other ways to look.
const viewers = [...document.querySelectorAll(".viewer")];
const cards = [...document.querySelectorAll("article")];
const links = [...document.querySelectorAll("nav a")];
const make = (name, classes = "") => Object.assign(document.createElement(name), { className: classes });

const shotsOf = (viewer) => {
  const by = (role) => viewer.querySelector(`.shot[data-role="${role}"]`);
  return { before: by("expected") ?? by("nearest"), after: by("actual"), diff: by("diff") };
};

const size = (shot) => [Number(shot.dataset.width), Number(shot.dataset.height)];

/** Pictures over each other at one scale, however their sizes differ. */
const frameOf = (shots) => {
  const frame = make("div", "frame");
  const width = Math.max(...shots.map((shot) => size(shot)[0]));
  let ratio = 0;
  const images = shots.map((shot) => {
    const image = make("img");
    image.src = shot.src;
    image.alt = shot.alt;
    image.style.width = `${(100 * size(shot)[0]) / width}%`;
    ratio = Math.max(ratio, (shot.naturalHeight / shot.naturalWidth) * (size(shot)[0] / width));
    frame.append(image);
    return image;
  });
  frame.style.width = `${width}px`;
  frame.style.aspectRatio = `1 / ${ratio || 0.75}`;
  return { frame, images };
};

const rangeOf = (label, left, right, onInput) => {
  const row = make("label", "range");
  const input = make("input");
  Object.assign(input, { type: "range", min: 0, max: 100, value: 50 });
  input.setAttribute("aria-label", label);
  input.addEventListener("input", () => onInput(Number(input.value)));
  row.append(Object.assign(make("span"), { textContent: left }), input, Object.assign(make("span"), { textContent: right }));
  return { row, input };
};

const captionOf = (shot) => shot.closest("figure").querySelector("figcaption").firstChild.textContent.trim();

const views = {
  slider: (stage, { before, after }) => {
    const { frame, images } = frameOf([before, after]);
    const edge = make("div", "edge");
    frame.append(edge);
    const show = (value) => {
      images[1].style.clipPath = `polygon(${value * frame.clientWidth / 100}px 0, 300% 0, 300% 300%, ${value * frame.clientWidth / 100}px 300%)`;
      edge.style.left = `${value}%`;
    };
    const { row, input } = rangeOf("Where the pictures meet", captionOf(before), captionOf(after), show);
    const drag = (event) => {
      const box = frame.getBoundingClientRect();
      input.value = String(Math.round((100 * (event.clientX - box.left)) / box.width));
      show(Number(input.value));
    };
    frame.addEventListener("pointerdown", (event) => { frame.setPointerCapture(event.pointerId); drag(event); event.preventDefault(); });
    frame.addEventListener("pointermove", (event) => { if (event.buttons) drag(event); });
    frame.style.touchAction = "pan-y";
    stage.append(row, frame);
    show(50);
    new ResizeObserver(() => show(Number(input.value))).observe(frame);
  },
  overlay: (stage, { before, after }) => {
    const { frame, images } = frameOf([before, after]);
    const show = (value) => { images[1].style.opacity = value / 100; };
    stage.append(rangeOf("How much of the second picture shows", captionOf(before), captionOf(after), show).row, frame);
    show(50);
  },
  difference: (stage, { before, after, diff }) => {
    const { frame } = frameOf(diff ? [diff] : [before, after]);
    if (!diff) frame.classList.add("subtracted");
    stage.append(frame);
  },
};

const look = (viewer, mode) => {
  const stage = viewer.querySelector(".stage");
  const side = viewer.querySelector(".side");
  stage.replaceChildren();
  stage.hidden = mode === "side";
  side.hidden = mode !== "side";
  if (mode !== "side") views[mode](stage, shotsOf(viewer));
};

for (const viewer of viewers) {
  const modes = viewer.querySelector(".modes");
  if (modes) {
    modes.hidden = false;
    modes.addEventListener("change", (event) => look(viewer, event.target.value));
  }
}

let current = 0;
const mark = (index) => {
  current = index;
  links.forEach((link, place) => {
    if (place === index) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  });
};
const go = (step) => {
  let next = current + step;
  while (cards[next]?.hidden) next += step;
  if (!cards[next]) return;
  mark(next);
  cards[next].scrollIntoView();
  cards[next].focus({ preventScroll: true });
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.type === "search") return;
  if (event.key === "j") go(1);
  else if (event.key === "k") go(-1);
  else if ("1234".includes(event.key)) {
    const choice = cards[current]?.querySelectorAll(".modes input")[Number(event.key) - 1];
    if (!choice) return;
    choice.click();
    choice.focus({ preventScroll: true });
  }
});
cards.forEach((card, index) => card.addEventListener("focusin", () => mark(index)));
links.forEach((link, index) => link.addEventListener("click", () => mark(index)));
if (cards.length) mark(0);

const filter = document.getElementById("filter");
if (filter && cards.length > 5) {
  filter.parentElement.hidden = false;
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    cards.forEach((card, index) => {
      const text = card.querySelector("header").textContent.toLowerCase();
      card.hidden = links[index].parentElement.hidden = !words.every((word) => text.includes(word));
    });
  });
}
const keys = document.querySelector(".keys");
if (keys) keys.hidden = false;
if (matchMedia("(max-width: 52rem)").matches && cards.length > 3) document.querySelector("nav details").open = false;
