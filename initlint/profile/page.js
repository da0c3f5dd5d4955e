for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.querySelectorAll("th[data-column]")];
  const order = [...table.tBodies[0].rows];
  for (const head of heads) {
    head.querySelector("button").addEventListener("click", () => {
      const column = Number(head.dataset.column);
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => row.cells[column].dataset.value;
      const compare = (one, two) => {
        const [a, b] = [value(one), value(two)];
        // What is not known comes last, either way.
        if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
        const way = isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
        return up ? way : -way;
      };
      table.tBodies[0].append(...[...order].sort(compare));
    });
  }
}
