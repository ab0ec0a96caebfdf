/* The comparison: lines kept by brushing become a comparison of their own; forms keep how curves are shown. */
"use strict";

(() => {
  const place = document.querySelector("[data-brushed]");
  const ids = new URLSearchParams(location.search).getAll("run");

  document.addEventListener("chart:selected", (event) => {
    if (!place) return;
    const rows = event.detail.rows;
    const isPart = rows.length > 0 && rows.length < ids.length;
    place.hidden = !isPart;
    if (!isPart) return;
    place.querySelector("[data-brushed-count]").textContent = `${rows.length} of ${ids.length} runs.`;
    const url = new URL(location.href);
    url.searchParams.delete("run");
    rows.forEach((row) => url.searchParams.append("run", ids[row]));
    place.querySelector("a").href = url;
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    ["smooth", "log", "x", "hide"].forEach((name) =>
      new URLSearchParams(location.search).getAll(name).forEach((value) => {
        if (!form.querySelector(`[name="${name}"]`))
          form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
      }),
    );
  });
})();
