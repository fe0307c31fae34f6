// Charts, copy buttons and live progress of the console. Every page reads and works without this file.
(function () {
  "use strict";
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--ab-${name}`).trim();
  const probe = document.createElement("canvas").getContext("2d");
  const TONES = { primary: "brand-text", success: "good", warning: "warn", danger: "bad", info: "info", neutral: "line-strong" };
  const tone = (name) => token(TONES[name] || "brand-text");
  const faded = (color, share) => {
    probe.fillStyle = color;
    const hex = probe.fillStyle;
    return hex.startsWith("#") ? hex + Math.round(share * 255).toString(16).padStart(2, "0") : hex;
  };

  function dataset(series, spec) {
    const color = tone(series.color);
    if (spec.kind === "doughnut") {
      return { label: series.name, data: series.values, backgroundColor: spec.colors.map(tone), borderColor: token("surface"), borderWidth: 2 };
    }
    if (spec.kind === "bar") {
      return { label: series.name, data: series.values, backgroundColor: faded(color, 0.85), hoverBackgroundColor: color, borderRadius: 3, maxBarThickness: 28 };
    }
    return { label: series.name, data: series.values, borderColor: color, backgroundColor: faded(color, 0.12), fill: spec.series.length === 1, borderWidth: 2, pointRadius: spec.labels.length > 40 ? 0 : 2, pointHitRadius: 12, tension: 0.25 };
  }

  function options(spec) {
    const ink = token("ink-3"), line = token("line");
    const round = spec.kind === "doughnut";
    const axis = (more) => ({ grid: { color: line, drawTicks: false }, border: { display: false }, ticks: { color: ink, padding: 6, ...more } });
    return {
      responsive: true, maintainAspectRatio: false, animation: false, locale: document.documentElement.lang || undefined,
      interaction: { mode: round ? "nearest" : "index", intersect: round },
      cutout: round ? "68%" : undefined,
      plugins: {
        legend: { display: round || spec.series.length > 1, position: round ? "right" : "top", align: round ? "center" : "end", labels: { color: token("ink-2"), boxWidth: 10, boxHeight: 10, usePointStyle: true, pointStyle: "circle" } },
        tooltip: { callbacks: spec.unit ? { label: (item) => `${item.dataset.label}: ${item.formattedValue} ${spec.unit}` } : {} },
      },
      scales: round ? {} : {
        x: { ...axis({ maxRotation: 0, autoSkip: true, maxTicksLimit: 8 }), grid: { display: false }, stacked: spec.kind === "bar" },
        y: { ...axis({ precision: spec.unit ? undefined : 0, maxTicksLimit: 5 }), beginAtZero: true, stacked: spec.kind === "bar" },
      },
      onClick: (_event, hits) => { const url = hits.length && spec.urls[hits[0].index]; if (url) window.location.href = url; },
      onHover: (event, hits) => { event.native.target.style.cursor = hits.length && spec.urls[hits[0].index] ? "pointer" : "default"; },
    };
  }

  const drawn = [];
  function draw() {
    if (typeof Chart === "undefined") return;
    Chart.defaults.font.family = token("font");
    drawn.splice(0).forEach((chart) => chart.destroy());
    document.querySelectorAll("canvas[data-spec]").forEach((canvas) => {
      const spec = JSON.parse(document.getElementById(canvas.dataset.spec).textContent);
      drawn.push(new Chart(canvas, { type: spec.kind, data: { labels: spec.labels, datasets: spec.series.map((one) => dataset(one, spec)) }, options: options(spec) }));
    });
  }

  function copying() {
    document.querySelectorAll("[data-copy]").forEach((button) => button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "✓";
    }));
  }

  // A running job is asked for once a second, less often while nobody looks or js/live-job.js hears of it; the page reloads once it is over.
  function following() {
    const box = document.querySelector("[data-job]");
    if (!box) return;
    const bar = box.querySelector("progress"), said = box.querySelector("[data-said]"), state = document.querySelector("[data-state]");
    const log = document.querySelector("[data-log]"), trouble = box.querySelector("[data-trouble]");
    let timer = 0;
    async function ask() {
      window.clearTimeout(timer);
      try {
        const answer = await fetch(box.dataset.job, { headers: { Accept: "application/json" }, credentials: "same-origin" });
        if (!answer.ok) throw new Error(String(answer.status));
        const job = await answer.json();
        if (job.over) { window.location.reload(); return; }
        if (job.percent === null) bar.removeAttribute("value"); else bar.value = job.percent;
        said.textContent = job.message;
        if (state) state.textContent = job.state;
        if (log && log.textContent !== job.log) { log.textContent = job.log; log.hidden = !job.log; log.scrollTop = log.scrollHeight; }
        trouble.hidden = true;
      } catch (error) { trouble.hidden = false; }
      window.clearTimeout(timer);
      timer = window.setTimeout(ask, document.hidden ? 5000 : "live" in box.dataset ? 3000 : 1000);
    }
    timer = window.setTimeout(ask, 600);
    box.addEventListener("live-job", ask); // the job is in another state
  }

  // The address and the first host of a new tenant follow its name until somebody types their own.
  function slugs() {
    const name = document.querySelector("[data-slug-from]"), slug = name && document.getElementById(name.dataset.slugFrom);
    if (!slug) return;
    let own = slug.value !== "";
    slug.addEventListener("input", () => { own = slug.value !== ""; });
    name.addEventListener("input", () => {
      if (own) return;
      slug.value = name.value.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^[^a-z]+|-+$/g, "").slice(0, 40);
    });
  }

  // The theme's scroll boxes all carry the same name; only the first may be a landmark.
  window.addEventListener("load", () => document.querySelectorAll(".simplebar-content-wrapper[role=region]").forEach((box, nr) => { if (nr) box.removeAttribute("role"); }));

  document.addEventListener("DOMContentLoaded", () => {
    copying(); following(); slugs(); draw();
    new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-bs-theme"] });
  });
})();
