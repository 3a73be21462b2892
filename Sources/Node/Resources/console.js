// Keeps marked parts of a page up to date; everything works without it, by reloading.
(function () {
  'use strict';
  var interval = 5000;

  function refresh(part) {
    if (document.hidden || part.contains(document.activeElement) && document.activeElement.matches('input,textarea,select')) return;
    fetch(part.dataset.refresh, { headers: { 'x-banjie-refresh': '1' }, redirect: 'manual', credentials: 'same-origin' })
      .then(function (answer) {
        if (answer.type === 'opaqueredirect') { location.reload(); return null; }
        return answer.ok ? answer.text() : null;
      })
      .then(function (text) {
        if (text === null || text === part.dataset.shown) return;
        part.dataset.shown = text;
        var focused = part.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
        var page = new DOMParser().parseFromString(text, 'text/html');
        part.replaceChildren.apply(part, Array.from(page.body.childNodes));
        if (focused) {
          var again = Array.from(part.querySelectorAll('a')).find(function (link) { return link.getAttribute('href') === focused; });
          if (again) again.focus();
        }
      })
      .catch(function () { /* The line may be down; the next round tries again. */ });
  }

  function refreshAll() { document.querySelectorAll('[data-refresh]').forEach(refresh); }

  setInterval(refreshAll, interval);
  document.addEventListener('visibilitychange', function () { if (!document.hidden) refreshAll(); });

  // The other language of the page that is shown, with its filters.
  document.querySelectorAll('a[data-keep-query]').forEach(function (link) {
    var query = new URLSearchParams(location.search);
    query.set('lang', link.getAttribute('hreflang'));
    query.delete('done');
    link.href = '?' + query;
  });

  document.querySelectorAll('[data-print]').forEach(function (button) {
    button.addEventListener('click', function () { print(); });
  });

  // A second press does not send the form twice.
  document.addEventListener('submit', function (event) {
    var form = event.target;
    if (form.dataset.sent) { event.preventDefault(); return; }
    if (form.method === 'post') form.dataset.sent = '1';
  });
  addEventListener('pageshow', function () {
    document.querySelectorAll('form[data-sent]').forEach(function (form) { delete form.dataset.sent; });
  });
})();
