// Shows the value nearest to the pointer on a chart. Without script each chart has its title, and the tables their numbers.
{
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  const mark = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  mark.setAttribute("class", "here");
  mark.setAttribute("r", 4);
  const hide = () => { tip.hidden = true; mark.remove(); };
  for (const chart of document.querySelectorAll("svg[data-hover]")) {
    const along = chart.dataset.along;
    const points = chart.dataset.hover.split("\n").map(line => {
      const [x, y, ...words] = line.split(" ");
      return {x: Number(x), y: Number(y), text: words.join(" ")};
    });
    const show = event => {
      const box = chart.getBoundingClientRect(), scale = chart.viewBox.baseVal.width / box.width;
      const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
      const far = p => along === "x" ? Math.abs(p.x - x) : along === "y" ? Math.abs(p.y - y) : Math.hypot(p.x - x, p.y - y);
      const near = points.reduce((best, other) => far(other) < far(best) ? other : best);
      if (far(near) > 40) return hide();
      tip.textContent = near.text;
      tip.hidden = false;
      mark.setAttribute("cx", near.x);
      mark.setAttribute("cy", near.y);
      chart.append(mark);
      const above = event.clientY - tip.offsetHeight - 12;
      tip.style.left = `${Math.max(8, Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8))}px`;
      tip.style.top = `${above < 8 ? event.clientY + 18 : above}px`;
    };
    chart.addEventListener("pointermove", show);
    chart.addEventListener("pointerdown", show); // a finger
    chart.addEventListener("pointerleave", event => { if (event.pointerType !== "touch") hide(); });
  }
  addEventListener("keydown", event => { if (event.key === "Escape") hide(); });
  addEventListener("pointerdown", event => { if (!event.target.closest("svg[data-hover]")) hide(); });
}
