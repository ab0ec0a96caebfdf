/* Completion for the filter box: names of metrics, params and tags, and the grammar's own words. */
"use strict";

(() => {
  const FIXED = [
    "AND",
    "OR",
    "NOT",
    "LIKE",
    "ILIKE",
    "IN",
    "IS NULL",
    "attributes.status",
    "attributes.state",
    "attributes.run_name",
    "attributes.start_time",
    "attributes.user_id",
  ];
  const MOST = 8;

  function quoted(word) {
    const [kind, ...rest] = word.split(".");
    const name = rest.join(".");
    return !name || /^[A-Za-z0-9_.]+$/.test(name) ? word : `${kind}.\`${name}\``;
  }

  function bind(box) {
    const known = JSON.parse(document.getElementById(box.dataset.words).textContent).map(quoted);
    const words = new Set([...known, ...(box.dataset.grammar ? box.dataset.grammar.split(" ") : FIXED)]);
    const KINDS = { m: "metrics", p: "params", t: "tags" };
    const asked = new Set();
    const list = document.createElement("ul");
    list.className = "completions";
    list.id = "filter-completions";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Completions");
    list.hidden = true;
    box.after(list);
    box.setAttribute("role", "combobox");
    box.setAttribute("aria-autocomplete", "list");
    box.setAttribute("aria-controls", list.id);
    box.setAttribute("aria-expanded", "false");
    let at = -1;
    let dismissed = 0; // how often the list was closed by hand: what comes later does not open it again

    const token = () => /(?:^|[\s(])([A-Za-z_][\w.`]*)$/.exec(box.value.slice(0, box.selectionStart));

    function close() {
      list.hidden = true;
      at = -1;
      box.setAttribute("aria-expanded", "false");
      box.removeAttribute("aria-activedescendant");
    }

    function mark(next) {
      at = next;
      [...list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === at)));
      if (list.children[at]) box.setAttribute("aria-activedescendant", list.children[at].id);
    }

    function choose(word) {
      const found = token();
      const end = box.selectionStart;
      const start = end - found[1].length;
      box.setRangeText(`${word} `, start, end, "end");
      close();
      box.focus();
    }

    /** Names beyond those of the page: asked for once a piece of text, and shown if the text still stands there. */
    async function ask(typed) {
      const piece = typed.replace(/^[a-z]*\./, "").replaceAll("`", "");
      if (!box.dataset.keys || piece.length < 2 || asked.has(piece)) return;
      asked.add(piece);
      const since = dismissed;
      const url = new URL(box.dataset.keys, location.href);
      url.searchParams.set("q", piece);
      const answer = await fetch(url, { credentials: "same-origin" });
      if (!answer.ok) return;
      (await answer.json()).names.forEach((item) => words.add(quoted(`${KINDS[item.kind]}.${item.name}`)));
      const now = token();
      if (now && now[1].toLowerCase() === typed && document.activeElement === box && at < 0 && since === dismissed)
        open();
    }

    function open() {
      const found = token();
      const typed = found ? found[1].toLowerCase() : "";
      if (typed) ask(typed);
      const fitting =
        typed.length < 1
          ? []
          : [...words].filter((word) => word.toLowerCase().includes(typed) && word.toLowerCase() !== typed);
      list.replaceChildren(
        ...fitting.slice(0, MOST).map((word, index) => {
          const item = document.createElement("li");
          item.id = `completion-${index}`;
          item.setAttribute("role", "option");
          item.textContent = word;
          item.addEventListener("mousedown", (event) => {
            event.preventDefault();
            choose(word);
          });
          return item;
        }),
      );
      list.hidden = !list.children.length;
      box.setAttribute("aria-expanded", String(!list.hidden));
      at = -1;
    }

    box.addEventListener("input", open);
    box.addEventListener("blur", close);
    box.addEventListener("keydown", (event) => {
      if (list.hidden) return;
      const last = list.children.length - 1;
      if (event.key === "ArrowDown") mark(at >= last ? 0 : at + 1);
      else if (event.key === "ArrowUp") mark(at <= 0 ? last : at - 1);
      else if ((event.key === "Enter" || event.key === "Tab") && at >= 0) choose(list.children[at].textContent);
      else if (event.key === "Escape") {
        dismissed += 1;
        close();
      } else return;
      event.preventDefault();
    });
  }

  document.querySelectorAll("[data-words]").forEach(bind);
})();
