// The list page: ticking rows, ordering columns, rows of the filter builder. All of it also works as plain forms.
(() => {
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  let last = null;

  const count = () => {
    const picks = all(".ab-pick"), ticked = picks.filter((box) => box.checked).length;
    const bar = one(".ab-bulk"), whole = one("[data-pick-all]");
    if (whole) { whole.checked = ticked > 0 && ticked === picks.length; whole.indeterminate = ticked > 0 && ticked < picks.length; }
    if (!bar) return;
    bar.classList.toggle("is-on", ticked > 0);
    const text = one("[data-picked]", bar);
    if (text) text.textContent = text.dataset.text.replace("%n", ticked.toLocaleString(document.documentElement.lang));
  };

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-pick-all]")) { all(".ab-pick").forEach((box) => { box.checked = event.target.checked; }); count(); }
    if (event.target.matches(".ab-pick")) count();
  });

  document.addEventListener("click", (event) => {
    const pick = event.target.closest(".ab-pick");
    if (pick) {
      const picks = all(".ab-pick");
      if (event.shiftKey && last && picks.includes(last)) {
        const [from, to] = [picks.indexOf(last), picks.indexOf(pick)].sort((a, b) => a - b);
        picks.slice(from, to + 1).forEach((box) => { box.checked = pick.checked; });
        count();
      }
      last = pick;
      return;
    }
    const hit = (selector) => event.target.closest(selector);
    if (hit("[data-clear-picks]")) { all(".ab-pick").forEach((box) => { box.checked = false; }); count(); }
    const move = hit("[data-move]");
    if (move) {
      const item = move.closest("li"), up = move.dataset.move === "up";
      const other = up ? item.previousElementSibling : item.nextElementSibling;
      if (other) { up ? other.before(item) : other.after(item); move.focus(); }
    }
    const drop = hit("[data-drop-row]");
    if (drop) {
      const row = drop.closest(".ab-filter-row"), group = row.closest("[data-group]");
      const alone = all(".ab-filter-row", one("#filter-form")).length === 1;
      if (alone) all("select, input:not([type=hidden])", row).forEach((field) => { if (field.type === "checkbox") field.checked = false; else field.value = ""; });
      else row.remove();
      if (!one(".ab-filter-row", group) && !group.classList.contains("is-first")) group.remove();
      one("#filter-form select, #filter-form button")?.focus();
    }
    const gone = hit("[data-drop-group]");
    if (gone) { gone.closest("[data-group]").remove(); one("#filter-form select")?.focus(); }
    if (!event.target.closest("tr[data-href]") || event.target.closest("a, button, input, label, select, summary")) return;
    if (getSelection().toString()) return;
    const href = event.target.closest("tr").dataset.href;
    if (event.ctrlKey || event.metaKey) open(href); else location.href = href;
  });
  document.addEventListener("htmx:afterSwap", (event) => { if (event.target.id === "list") { last = null; count(); } });
  count();
})();
