// Sorts a table by the column whose heading is chosen. Without script the tables are as they are.
for (const table of document.querySelectorAll("table")) {
  const heads = [...(table.tHead ? table.tHead.rows[0].cells : [])];
  const bodies = [...table.tBodies];
  const rows = bodies.flatMap(body => [...body.rows]);
  const units = bodies.length > 1 ? bodies : rows; // a body of several rows moves as one
  const firsts = units.map(unit => unit.rows ? unit.rows[0] : unit);
  if (units.length < 2 || rows.some(row => [...row.cells].some(cell => cell.colSpan > 1))) continue;
  if (firsts.some(row => row.cells.length !== heads.length)) continue;
  const key = (unit, place) => {
    const text = (unit.rows ? unit.rows[0] : unit).cells[place].textContent.trim();
    const plain = text.replace(/,/g, "").replace("\u2212", "-");
    const number = /^-?[\d.]+(e-?\d+)?( %| s| days)?$/.test(plain) ? parseFloat(plain) : NaN;
    return {text, number, empty: text === "" || text === "\u2013"};
  };
  heads.forEach((head, place) => {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keyed = units.map(unit => [unit, key(unit, place)]);
      keyed.sort(([, a], [, b]) => {
        if (a.empty || b.empty) return a.empty - b.empty; // what is missing is last either way
        const known = !isNaN(a.number) && !isNaN(b.number);
        const order = known ? a.number - b.number : a.text.localeCompare(b.text, undefined, {numeric: true});
        return down ? -order : order;
      });
      for (const [unit] of keyed) unit.parentNode.append(unit);
    });
  });
}
