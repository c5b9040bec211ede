// Times in the reader's zone: the page has them in UTC, which stays as what is said on hover.
// Nothing here is needed: without it times are shown in UTC.
(() => {
  "use strict";
  const shown = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

  function local(root) {
    for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.textContent = shown.format(at);
      time.dataset.local = "1";
    }
  }

  local(document);
  new MutationObserver((changes) => {
    for (const change of changes) {
      // A part that is brought up to date in place has its times as the page had them.
      if (change.type === "attributes" && change.target.parentNode) local(change.target.parentNode);
      for (const node of change.addedNodes) {
        if (node.nodeType === Node.ELEMENT_NODE) local(node.parentNode || node);
      }
    }
  }).observe(document.body, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["datetime", "data-local"],
  });

  // A form that was sent is not sent twice by a second click; one that the browser brings back is
  // ready again.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
})();
