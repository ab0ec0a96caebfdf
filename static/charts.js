/* Draws every `[data-chart]`: options by json_script, or from `data-source` when it comes into view; live by polls. */
"use strict";

(() => {
  const { resolve, theme, sig, withNames, view, curveOptions, curveRows, bindTools, bindTwin } = window.Maestro;
  const POLL_MS = 2000;
  const THEME = "maestro";
  const figures = new Map();

  function refreshTheme() {
    echarts.registerTheme(THEME, theme());
  }

  /** Tooltips are rich text: HTML ones write inline styles, which the content security policy refuses. */
  function common(options) {
    const reduced = matchMedia("(prefers-reduced-motion: reduce)").matches;
    return {
      ...options,
      animation: !reduced && !options.series.some((series) => (series.data || []).length > 300),
      animationDuration: 200,
      aria: { enabled: true },
      tooltip: { confine: true, valueFormatter: sig, ...options.tooltip, renderMode: "richText" },
    };
  }

  /** Runs whose eye is shut are left out; the address says which. */
  function seenSeries(options) {
    const hidden = new Set(new URLSearchParams(location.search).getAll("hide"));
    return hidden.size ? { ...options, series: options.series.filter((series) => !hidden.has(series.id)) } : options;
  }

  function shownOptions(state) {
    const isCurve = state.figure.dataset.kind === "curve";
    if (isCurve && state.options.legend && document.querySelector("[data-dots-tell]"))
      state.options.legend.show = false;
    return resolve(common(isCurve ? curveOptions(seenSeries(state.options), view()) : state.options));
  }

  /** The dots beside names take the looks that the server gave the drawn runs. */
  function paintDots(options) {
    options.series.forEach((series) =>
      document.querySelectorAll(`[data-dot="${CSS.escape(String(series.id))}"]`).forEach((dot) => {
        const color = /^token:series-(\d)$/.exec(series.itemStyle.color);
        if (!color) return;
        const line = series.lineStyle.type;
        dot.className = `dot dot-${color[1]}${line === "solid" ? "" : ` dot-${line}`}`;
      }),
    );
  }

  function draw(state) {
    const canvas = state.figure.querySelector(".chart-canvas");
    if (canvas.hidden || !state.options) return;
    if (!state.options.series.length) {
      if (state.chart) state.chart.dispose();
      state.chart = null;
      state.figure.dataset.drawn = "1";
      return;
    }
    if (!state.chart) {
      state.chart = echarts.init(canvas, THEME, { renderer: "canvas" });
      state.chart.on("click", follow);
      state.chart.on("axisareaselected", () => selected(state));
    }
    state.chart.setOption(withNames(shownOptions(state), canvas), { notMerge: true });
    state.figure.dataset.drawn = "1";
  }

  /** A mark with an address of this site opens it. */
  function follow(event) {
    const url = event.data && event.data.url;
    if (typeof url === "string" && /^\/(?!\/)/.test(url)) location.assign(url);
  }

  function selected(state) {
    const series = state.chart.getModel().getSeriesByIndex(0);
    const rows = series.getRawIndicesByActiveState("active");
    state.figure.dispatchEvent(new CustomEvent("chart:selected", { bubbles: true, detail: { rows } }));
  }

  function redrawAll() {
    refreshTheme();
    figures.forEach((state) => {
      if (state.chart) state.chart.dispose();
      state.chart = null;
      draw(state);
    });
  }

  /** Charts of the same runs that are wanted at about the same time are asked for in one request, 25 at most. */
  const BATCH_MS = 40;
  const BATCH = 25;
  const batches = new Map();

  function fetchOptions(state) {
    const url = new URL(state.figure.dataset.source, location.href);
    const key = url.searchParams.get("key");
    url.searchParams.delete("key");
    return new Promise((resolve_, reject) => {
      const waiting = batches.get(url.href) || [];
      waiting.push({ key, state, done: resolve_, failed: reject });
      batches.set(url.href, waiting);
      if (waiting.length === 1) setTimeout(() => sendBatch(url), BATCH_MS);
    });
  }

  function sendBatch(url) {
    const waiting = batches.get(url.href);
    batches.delete(url.href);
    for (let at = 0; at < waiting.length; at += BATCH) fetchBatch(url, waiting.slice(at, at + BATCH));
  }

  async function fetchBatch(base, waiting) {
    try {
      const url = new URL(base);
      waiting.forEach(({ key }) => url.searchParams.append("key", key));
      const answer = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (!answer.ok && answer.status !== 404) throw new Error(`${answer.status}`);
      const body = await answer.json();
      waiting.forEach(({ key, state, done }) => {
        const made = (body.charts || {})[key];
        if (made) take(state, made);
        else state.options = { series: [], xAxis: {}, yAxis: {} };
        done(Boolean(body.live));
      });
    } catch (error) {
      waiting.forEach(({ failed }) => failed(error));
    }
  }

  function take(state, made) {
    state.options = made.options;
    const summary = state.figure.querySelector(".chart-summary");
    if (summary) summary.textContent = made.summary;
    if (state.figure.dataset.kind === "curve") paintDots(made.options);
  }

  function say(state, text) {
    const canvas = state.figure.querySelector(".chart-canvas");
    if (!state.chart) canvas.textContent = text;
  }

  /** Loads a chart's points, then again every two seconds for as long as the answer says it is live. */
  async function load(state) {
    let live = false;
    try {
      live = await fetchOptions(state);
      if (state.options.series.length) say(state, "");
      draw(state);
      if (!state.options.series.length) say(state, "None of these runs has logged this metric.");
      state.failures = 0;
    } catch (error) {
      state.failures = (state.failures || 0) + 1;
      live = state.failures < 5 && state.figure.dataset.live === "1";
      say(state, `This chart could not be loaded (${error.message}). Reload the page to try again.`);
    }
    if (live) setTimeout(() => (document.hidden ? waitUntilSeen(state) : load(state)), POLL_MS * (1 + state.failures));
    else delete state.figure.dataset.live;
  }

  function waitUntilSeen(state) {
    document.addEventListener("visibilitychange", () => load(state), { once: true });
  }

  function facts(state) {
    return () => (state.figure.dataset.kind === "curve" && state.options ? curveRows(state.options) : null);
  }

  /** Draws other runs: the same metric, another choice of the list. */
  function drawRuns(ids) {
    figures.forEach((state) => {
      if (!state.figure.dataset.source) return;
      const url = new URL(state.figure.dataset.source, location.href);
      url.searchParams.delete("run");
      ids.forEach((id) => url.searchParams.append("run", id));
      state.figure.dataset.source = `${url.pathname}${url.search}`;
      if (state.options) load(state);
    });
  }

  function redrawCurves() {
    figures.forEach((state) => {
      if (state.figure.dataset.kind === "curve") draw(state);
    });
  }

  const seen = new IntersectionObserver(
    (entries) =>
      entries
        .filter((entry) => entry.isIntersecting)
        .forEach((entry) => {
          const state = figures.get(entry.target);
          seen.unobserve(entry.target);
          if (state.figure.dataset.source) load(state);
          else draw(state);
        }),
    { rootMargin: "200px" },
  );

  /** A chart wider than its place can be scrolled by keys too, and says so; one that fits is no stop of the Tab key. */
  function nameScroll(figure) {
    const box = figure.querySelector(".chart-scroll");
    const title = figure.querySelector(".chart-title").textContent;
    const told = { tabindex: "0", role: "region", "aria-label": `${title}, scrollable` };
    const isWide = box.scrollWidth > box.clientWidth;
    Object.entries(told).forEach(([name, value]) =>
      isWide ? box.setAttribute(name, value) : box.removeAttribute(name),
    );
  }

  const sizes = new ResizeObserver((entries) =>
    entries.forEach((entry) => {
      const state = figures.get(entry.target.closest("[data-chart]"));
      if (!state) return;
      if (state.chart && entry.contentRect.width) state.chart.resize();
      nameScroll(state.figure);
    }),
  );

  function add(figure) {
    const script = figure.querySelector("script[type='application/json']");
    const payload = script ? JSON.parse(script.textContent) : {};
    const state = { figure, chart: null, options: payload.options || null };
    figures.set(figure, state);
    bindTwin(figure, facts(state));
    figure.addEventListener("chart:shown", () => draw(state));
    const canvas = figure.querySelector(".chart-canvas");
    canvas.style.height = `${figure.dataset.height || 260}px`;
    if (figure.dataset.minWidth) canvas.style.minWidth = `${figure.dataset.minWidth}px`;
    sizes.observe(canvas);
    sizes.observe(canvas.parentElement);
    seen.observe(figure);
  }

  refreshTheme();
  document.querySelectorAll("[data-chart]").forEach(add);
  bindTools(redrawCurves);
  document.addEventListener("runs:drawn", (event) => drawRuns(event.detail.ids));
  document.addEventListener("runs:hidden", redrawCurves);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
  new MutationObserver(redrawAll).observe(document.documentElement, {
    attributes: true,
    attributeFilter: ["data-theme"],
  });
})();
