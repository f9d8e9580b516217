// Sorting by a column, and copying what is to be typed.
function compare(one, other) {  // numbers before words; an empty cell is last whichever way
  const numbers = [Number(one), Number(other)];
  if (numbers.every((value) => !Number.isNaN(value))) return numbers[0] - numbers[1];
  if (numbers.some((value) => !Number.isNaN(value))) return Number.isNaN(numbers[0]) ? 1 : -1;
  return one.localeCompare(other);
}

function sort(table, column, descending) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => [row.cells[column].dataset.key ?? row.cells[column].textContent.trim(), row]);
  rows.sort(([one], [other]) => {
    if (one === "" || other === "") return (one === "") - (other === "");
    return descending ? compare(other, one) : compare(one, other);
  });
  rows.forEach(([, row]) => body.append(row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const descending = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    sort(table, column, descending);
  }));
}

function choose(table, column, wanted) {
  for (const row of at(table)?.tBodies[0].rows ?? []) {
    const name = row.cells[column].dataset.key ?? row.cells[column].textContent.trim();
    row.classList.toggle("chosen", highlighted !== null && parseInt(name, 10) === wanted(row));
  }
}

listeners.push(() => choose("leaderboard-table", 1, () => highlighted));

for (const button of document.querySelectorAll("[data-copies]")) {
  const said = button.textContent;
  button.addEventListener("click", async () => {
    const text = at(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {  // a page from a disk may not write there: what is selected can be copied by hand
      getSelection().selectAllChildren(text);
      button.textContent = "Selected: copy it now";
    }
    setTimeout(() => { button.textContent = said; }, 2000);
  });
}
