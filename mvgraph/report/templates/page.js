"use strict";
(() => {
  const root = document.documentElement;
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const config = JSON.parse(document.getElementById("config").textContent);
  const hosts = [...document.querySelectorAll("[data-figure]")];
  root.dataset.figures = String(hosts.length);
  root.dataset.drawn = "0";

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  // The picture stays in place until the interactive figure stands, and for good if anything fails.
  function themed(figure) {
    const ink = css("--ink"), grid = css("--grid"), paper = css("--paper");
    const layout = structuredClone(figure.layout), data = structuredClone(figure.data);
    layout.font = { ...layout.font, color: ink, family: getComputedStyle(document.body).fontFamily };
    layout.hoverlabel = { ...layout.hoverlabel, bgcolor: paper, font: { color: ink } };
    layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: css("--soft"), activecolor: ink };
    for (const key of Object.keys(layout).filter((k) => /^[xy]axis/.test(k))) {
      layout[key] = { gridcolor: grid, linecolor: grid, zerolinecolor: css("--soft"), ...layout[key] };
    }
    for (const trace of data) {
      const line = trace.marker && trace.marker.line;
      if (line && line.width) line.color = ink;
    }
    return { data, layout };
  }

  let plotly = null;
  function library() {
    plotly ??= (async () => {
      const packed = document.getElementById("plotly");
      const bytes = Uint8Array.from(atob(packed.textContent.trim()), (c) => c.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      const script = document.createElement("script");
      script.textContent = await new Response(stream).text();
      document.head.append(script);
      packed.remove();
      return globalThis.Plotly;
    })();
    return plotly;
  }

  async function draw(host) {
    if (host.dataset.state) return;
    host.dataset.state = "drawing";
    const box = document.createElement("div");
    try {
      const Plotly = await library();
      const { data, layout } = themed(figures[host.dataset.figure]);
      const picture = host.querySelector("img");
      box.setAttribute("role", "img");
      box.setAttribute("aria-label", picture.alt);
      host.prepend(box);
      await Plotly.newPlot(box, data, layout, config);
      picture.hidden = true;
      picture.style.display = "none";
      host.dataset.state = "drawn";
      root.dataset.drawn = String(Number(root.dataset.drawn) + 1);
    } catch (error) {
      box.remove();
      host.dataset.state = "picture";
      console.error("figure " + host.dataset.figure + " stays a picture: " + error);
    }
  }

  async function drawAll() {
    for (const host of hosts) await draw(host);
  }
  root.drawAll = drawAll;

  if (hosts.length && "DecompressionStream" in globalThis) {
    const seen = new IntersectionObserver(
      (entries) => entries.filter((e) => e.isIntersecting).forEach((e) => { seen.unobserve(e.target); draw(e.target); }),
      { rootMargin: "900px" },
    );
    hosts.forEach((host) => seen.observe(host));
    dark.addEventListener("change", async () => {
      const Plotly = await library();
      for (const host of hosts.filter((h) => h.dataset.state === "drawn")) {
        const { data, layout } = themed(figures[host.dataset.figure]);
        await Plotly.react(host.firstElementChild, data, layout);
      }
    });
  }

  // Everything is there for each figure that can rank; the switch only says which of it is seen.
  const choices = [...document.querySelectorAll("[name=rank-by]")];
  const ranked = [...document.querySelectorAll("[data-rank-by]")];
  const choose = (name) => ranked.forEach((part) => { part.hidden = part.dataset.rankBy !== name; });
  choices.forEach((choice) => choice.addEventListener("change", () => choose(choice.value)));
  const standing = choices.find((choice) => choice.checked);
  if (standing) {
    choose(standing.value);
    standing.closest("fieldset").hidden = false;
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    const original = [...body.rows];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const numeric = head.classList.contains("n");
        const next = now === null ? (numeric ? "descending" : "ascending")
          : now === (numeric ? "descending" : "ascending") ? (numeric ? "ascending" : "descending") : null;
        heads.forEach((h) => h.removeAttribute("aria-sort"));
        let rows = original;
        if (next) {
          head.setAttribute("aria-sort", next);
          const sign = next === "ascending" ? 1 : -1;
          const key = (row) => {
            const cell = row.cells[column];
            if (!numeric) return cell.textContent;
            const value = Number.parseFloat(cell.dataset.value ?? cell.textContent);
            return Number.isNaN(value) ? null : value;
          };
          rows = [...original].sort((a, b) => {
            const x = key(a), y = key(b);
            // What has no value stands last, whichever way the column is sorted.
            if (x === null || y === null) return (x === null) - (y === null);
            return sign * (numeric ? x - y : x.localeCompare(y));
          });
        }
        body.append(...rows);
      });
    });
  }
})();
