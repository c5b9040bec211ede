"""The page that a one-time link opens in a browser: choose a password.

Rule: nothing but what stands here runs in it, and nothing of it is kept. The link's secret stands
behind the #, which the browser does not send; the page sends it with the password, and nowhere
else.
"""

from aiohttp import web

from control.api.coding import Sending, going_out
from control.api.contentpolicy import STYLE, allowed
from control.api.negotiation import must_answer

_SCRIPT = """
const form = document.querySelector("form"), said = document.querySelector("output");
const link = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
form.hidden = !link;
if (!link) said.textContent = "This link has no secret: open the whole link that you were given.";
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const password = form.password.value;
  if (password !== form.again.value) { said.textContent = "The two are not the same."; return; }
  form.querySelector("button").disabled = true;
  try {
    const answer = await fetch(location.pathname, {
      method: "POST", headers: {"Content-Type": "application/json"},
      body: JSON.stringify({link, password}),
    });
    const found = await answer.json();
    if (answer.ok) form.hidden = true;
    said.textContent = answer.ok ? `${found.name} has this password now.`
      : (found.errors && found.errors[0] ? found.errors[0].detail : found.detail);
  } catch { said.textContent = "Sendgate does not answer: try again."; }
  form.querySelector("button").disabled = false;
});
"""

_PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sendgate: choose your password</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>
<body><main><h1>Choose your password</h1>
<noscript><p>Without JavaScript: <code>sendgate user accept</code>.</p></noscript>
<form hidden method="post">
<label for="password">Password, 12 characters or more</label>
<input id="password" name="password" type="password" minlength="12" maxlength="512" required
 autocomplete="new-password">
<label for="again">Once more</label>
<input id="again" name="again" type="password" required autocomplete="new-password">
<button>Choose it</button></form>
<p><output role="status"></output></p></main><script>{_SCRIPT}</script></body></html>
"""


HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src {allowed(_SCRIPT)}; style-src {allowed(STYLE)}; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


async def page(request: web.Request) -> web.Response:
    """The same for everybody. Raises RefusedError (406)."""
    must_answer(request, ("text/html",))
    answer = web.Response(text=_PAGE, content_type="text/html", headers=HEADERS)
    return going_out(answer, Sending())
