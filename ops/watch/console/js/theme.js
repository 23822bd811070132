// Before anything is drawn: the look that was chosen here, if one was.
(() => {
  let kept = "system";
  try {
    kept = localStorage.getItem("traded-theme") ?? "system";
  } catch {
    // No storage: the system's look it is.
  }
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
})();
