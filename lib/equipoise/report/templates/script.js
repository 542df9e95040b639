// Sorts the clusters of one level of the tree; without scripts they stand largest first.
for (const bar of document.querySelectorAll("[data-sorts]")) {
  bar.hidden = false;
  const tree = document.getElementById(bar.dataset.sorts);
  for (const button of bar.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      const key = button.dataset.key;
      for (const list of [tree, ...tree.querySelectorAll("[data-children]")]) {
        const clusters = [...list.children].filter((child) => child.dataset[key] !== undefined);
        const sign = key === "size" ? -1 : 1;
        clusters.sort((one, other) => sign * (one.dataset[key] - other.dataset[key]));
        list.append(...clusters, ...[...list.children].filter((child) => child.dataset[key] === undefined));
      }
      for (const other of bar.querySelectorAll("button")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
    });
  }
}
