"""The API page: docs/openapi.yaml as one HTML file, which loads nothing.

With a local cloud, its requests work as they are: addresses, keys and values are those of the demo shop.
"""

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from string import Template
from typing import Final
from urllib.parse import urlsplit

import yaml

from local.stack import Stack
from tools import api_page_customer, api_page_document
from tools.api_page_document import Document
from tools.support.paths import ROOT

DOCUMENT: Final = ROOT / "docs" / "openapi.yaml"
DOCUMENTED: Final = ("https://*.amazonaws.com", "http://127.0.0.1:*")
"""The origins of the document's own servers."""

# The policy lets the page load nothing and run only these scripts. It may only send requests to the APIs.
TEMPLATE: Final = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src $hashes; \
style-src 'unsafe-inline'; img-src data:; connect-src $origins; base-uri 'none'; form-action 'none'">
<link rel="icon" href="data:,">
<title>$title</title>
<style>$style</style>
<style>
body { margin: 0 }
.swagger-ui .servers > label select { max-width: 100% }
.swagger-ui .info table { display: block; overflow-x: auto }
.note { max-width: 1460px; margin: 0 auto; padding: 20px 20px 0; font: 14px/1.5 sans-serif; color: #3b4151 }
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important } }
</style>
</head>
<body>
$notes
<div id="page"></div>
<script>$bundle</script>
<script>$script</script>
</body>
</html>
""")
NOTES: Final = Template("""
<p class="note">Filled in for the demo shop of the local cloud. To send a request, open an operation, press Try it out \
and then Execute. The customer is <code>$customer</code>; load the page again to restore the cart and the orders.</p>
<p class="note" id="elsewhere">To send requests to the Management API, open $address: no other page can call it.</p>
""")
SCRIPT: Final = Template("""
const { spec, keys, changes, managementOrigin } = $settings;
const patterns = changes.map(([method, path]) => [method, new RegExp(path.replaceAll(/\\{\\w+\\}/g, "[^/]+") + "$$")]);

const ui = SwaggerUIBundle({
  spec,
  dom_id: "#page",
  deepLinking: true,
  defaultModelRendering: "example",
  defaultModelsExpandDepth: 0,
  displayOperationId: true,
  validatorUrl: null,
  // References need the document's address, which is no link that a reader could follow.
  plugins: [{ wrapComponents: { InfoUrl: () => () => null } }],
  onComplete: () => Object.entries(keys).forEach(([scheme, key]) => ui.preauthorizeApiKey(scheme, key)),
  requestInterceptor: (request) => {
    const { pathname } = new URL(request.url);
    if (patterns.some(([method, pattern]) => method === request.method && pattern.test(pathname))) {
      request.headers["Idempotency-Key"] ||= crypto.randomUUID();
    }
    return request;
  },
});
// A file's address is not accepted. Nothing is fetched from this one.
ui.specActions.updateUrl("https://openapi.invalid/");
if (location.origin === managementOrigin) document.getElementById("elsewhere").remove();
""")


def page(stack: Stack | None = None, shop_server: str = "") -> str:
    """Return the page.

    With a stack, the page has its keys, and the requests use cart and orders of `api_page_customer`. ``shop_server`` is
    the origin that serves the page and passes requests on to the Management API. Raises `LocalCloudError` if the demo
    shop sells nothing, `requests.RequestException` if its APIs do not answer.
    """
    document = api_page_document.shown(yaml.load(DOCUMENT.read_text(encoding="utf-8"), yaml.CSafeLoader))
    if stack is None:
        return _rendered(document, DOCUMENTED)
    customer = api_page_customer.prepare(stack)
    document = api_page_document.filled(document, stack, shop_server, customer)
    origins = ["{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in api_page_document.servers(document)]
    keys = {"apiKey": stack.api_key, "customerToken": customer.token, "managementKey": stack.management_key}
    return _rendered(document, origins, _notes(shop_server), keys, shop_server)


def _rendered(
    document: Document,
    origins: Iterable[str],
    notes: str = "",
    keys: Mapping[str, str] | None = None,
    management_origin: str = "",
) -> str:
    changes = [
        (method.upper(), path)
        for method, path, operation in api_page_document.operations(document)
        if any(parameter["name"] == "Idempotency-Key" for parameter in operation["parameters"])
    ]
    settings = {
        "spec": document,
        "keys": {scheme: f"Token {key}" for scheme, key in (keys or {}).items()},
        "changes": changes,
        "managementOrigin": management_origin,
    }
    assets = files("swagger_ui") / "static"
    bundle = (assets / "swagger-ui-bundle.js").read_text(encoding="utf-8").replace("</script", r"<\/script")
    script = SCRIPT.substitute(settings=json.dumps(settings).replace("<", r"\u003c"))
    return TEMPLATE.substitute(
        title=html.escape(document["info"]["title"]),
        style=(assets / "swagger-ui.css").read_text(encoding="utf-8"),
        hashes=" ".join(map(_hash, (bundle, script))),
        origins=html.escape(" ".join(sorted(set(origins)))),
        notes=notes,
        bundle=bundle,
        script=script,
    )


def _notes(shop_server: str) -> str:
    address = html.escape(f"{shop_server}/docs/")
    link = f'<a href="{address}">{address}</a>' if shop_server else "the page that <code>make start</code> serves"
    return NOTES.substitute(customer=html.escape(api_page_customer.CUSTOMER), address=link)


def _hash(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"
