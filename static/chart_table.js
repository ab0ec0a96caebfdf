/* Every chart's twin: the same facts as a table, and as a CSV file. */
"use strict";
window.Maestro = window.Maestro || {};

(() => {
  const MAX_ROWS = 2000;

  function cell(tag, value, isHead) {
    const node = document.createElement(tag);
    if (isHead) node.scope = tag === "th" && isHead === "col" ? "col" : "row";
    if (typeof value === "number") {
      node.className = "num";
      node.dataset.value = String(value);
    }
    node.textContent = tag === "th" && isHead === "col" ? value : window.Maestro.sig(value);
    return node;
  }

  /** Fills `twin` with a table; long ones are cut with a word about the CSV, which is whole. */
  function build(twin, { columns, rows }) {
    const table = document.createElement("table");
    table.className = "data compact";
    const head = table.createTHead().insertRow();
    columns.forEach((name) => head.append(cell("th", name, "col")));
    const body = table.createTBody();
    rows.slice(0, MAX_ROWS).forEach((row) => {
      const line = body.insertRow();
      row.forEach((value, index) => line.append(index ? cell("td", value) : cell("th", value, "row")));
    });
    twin.replaceChildren(table);
    if (rows.length > MAX_ROWS) {
      const note = document.createElement("p");
      note.textContent = `The first ${MAX_ROWS} of ${rows.length} rows; the CSV has all.`;
      twin.append(note);
    }
  }

  /** A field as CSV; text that a spreadsheet would run as a formula is quoted with an apostrophe. */
  function field(value) {
    if (value === null || value === undefined) return "";
    let text = String(value);
    if (typeof value !== "number" && /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text))) text = `'${text}`;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  function fromTable(twin) {
    const rows = [...twin.querySelectorAll("tr")].map((row) =>
      [...row.cells].map((item) =>
        item.dataset.value === undefined ? item.textContent.trim() : Number(item.dataset.value),
      ),
    );
    return { columns: rows[0] || [], rows: rows.slice(1) };
  }

  function download(name, { columns, rows }) {
    const text = [columns, ...rows].map((row) => row.map(field).join(",")).join("\r\n");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${text}\r\n`], { type: "text/csv;charset=utf-8" }));
    link.download = `${name.replace(/[^\w.-]+/g, "_") || "chart"}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  /** Gives `figure` its Table and CSV buttons. `facts()` answers columns and rows, or null to read the twin. */
  function bindTwin(figure, facts) {
    const twin = figure.querySelector(".chart-twin");
    const button = figure.querySelector("[data-twin]");
    const title = figure.querySelector(".chart-title").textContent;
    figure.querySelector(".chart-tools").hidden = false;
    button.addEventListener("click", () => {
      const made = facts();
      if (made) build(twin, made);
      twin.hidden = !twin.hidden;
      figure.querySelector(".chart-canvas").hidden = !twin.hidden;
      button.textContent = twin.hidden ? "Table" : "Chart";
      button.setAttribute("aria-expanded", String(!twin.hidden));
      if (twin.hidden) figure.dispatchEvent(new Event("chart:shown"));
    });
    figure.querySelector("[data-csv]").addEventListener("click", () => download(title, facts() || fromTable(twin)));
  }

  Object.assign(window.Maestro, { bindTwin, csvField: field });
})();
