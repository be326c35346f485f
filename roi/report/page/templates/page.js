(() => {
  "use strict";
  const paint = name => `var(--${name})`;
  const series = (name, count) => Array.from({ length: count }, (_, k) => paint(name + k));
  const ranges = JSON.parse(document.getElementById("ranges").textContent);
  const config = narrow => ({
    background: "transparent",
    range: Object.fromEntries(Object.entries(ranges).map(([name, count]) => [name, series(name, count)])),
    axis: { labelColor: paint("faint"), titleColor: paint("faint"), domainColor: paint("line"), tickColor: paint("line"),
      gridColor: paint("line") },
    legend: { labelColor: paint("ink"), titleColor: paint("faint"), columns: narrow ? 1 : 3 },
    mark: { color: paint("category1") }, text: { color: paint("ink") }, rule: { color: paint("faint") }, tick: { color: paint("faint") },
  });
  const over = (base, more) => ({ ...base, ...Object.fromEntries(Object.entries(more).map(([name, value]) =>
    [name, typeof value === "object" ? { ...base[name], ...value } : value])) });

  const tip = document.getElementById("tip");
  function tell(handler, event, item, value) {
    if (value === null || value === undefined || value === "") { tip.hidden = true; return; }
    const rows = typeof value === "object" ? Object.entries(value) : [["", value]];
    tip.replaceChildren(...rows.map(([name, shown]) => {
      const row = document.createElement("div"), key = document.createElement("span"), figure = document.createElement("b");
      key.textContent = name; figure.textContent = shown; row.append(key, figure);
      return row;
    }));
    tip.hidden = false;
    const right = event.clientX + 14 + tip.offsetWidth > document.documentElement.clientWidth;
    tip.style.left = `${Math.max(right ? event.clientX - 14 - tip.offsetWidth : event.clientX + 14, 4)}px`;
    tip.style.top = `${Math.min(event.clientY + 14, document.documentElement.clientHeight - tip.offsetHeight - 4)}px`;
  }

  const lines = (text, most) => text.split(" ").reduce((found, word) => {
    const last = found[found.length - 1];
    return last !== undefined && `${last} ${word}`.length <= most ? [...found.slice(0, -1), `${last} ${word}`] : [...found, word];
  }, []);
  const titled = (part, most) => {
    if (Array.isArray(part)) return part.map(each => titled(each, most));
    if (part === null || typeof part !== "object") return part;
    const found = Object.fromEntries(Object.entries(part).map(([key, each]) => [key, key === "values" ? each : titled(each, most)]));
    if (found.x && typeof found.x.title === "string") found.x = { ...found.x, title: lines(found.x.title, most) };
    return found;
  };

  async function draw(figure) {
    const { $schema, title, config: white, ...spec } = JSON.parse(figure.querySelector("script").textContent);
    const place = figure.querySelector(".picture");
    try {
      await vegaEmbed(place, titled(spec, Math.floor(place.clientWidth / 7)), { actions: false, ast: true, renderer: "svg", defaultStyle: false, tooltip: tell,
        config: over(white, config(place.clientWidth < 640)) });
    } catch (error) {
      place.textContent = `This picture could not be drawn: ${error.message}`;
    }
  }

  document.querySelectorAll("button[data-copies]").forEach(button => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copies);
      try { await navigator.clipboard.writeText(text.textContent); button.textContent = "Copied"; }
      catch { getSelection().selectAllChildren(text); button.textContent = "Selected: copy it with Ctrl+C"; }
    });
  });
  Promise.all([...document.querySelectorAll("figure")].map(draw)).then(() => { document.documentElement.dataset.drawn = "yes"; });
})();
