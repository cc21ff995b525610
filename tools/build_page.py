"""Build a browsable HTML page of docs/openapi.yaml: one file, which loads nothing and needs no server (`make docs`)."""

import json
from importlib.resources import files
from string import Template

import yaml

from tools.support.paths import ROOT

DOCUMENT = ROOT / "docs" / "openapi.yaml"
PAGE = ROOT / ".local" / "docs" / "index.html"

# The policy lets the page load nothing. It may only send the requests that the reader tries out.
TEMPLATE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'; img-src data:; connect-src http: https:">
<title>$title</title>
<style>$style</style>
<style>body { margin: 0 } .swagger-ui .servers > label select { max-width: 100% }</style>
</head>
<body>
<div id="page"></div>
<script>$script</script>
<script>
const ui = SwaggerUIBundle({
  spec: $document,
  dom_id: "#page",
  deepLinking: true,
  defaultModelRendering: "example",
  defaultModelsExpandDepth: 0,
  displayOperationId: true,
  validatorUrl: null,
});
// References need the document's address, and a file's is not accepted. Nothing is fetched from this one.
ui.specActions.updateUrl("https://openapi.invalid/");
</script>
</body>
</html>
""")


def page(document: dict[str, object], title: str) -> str:
    """Return the page of an OpenAPI document."""
    assets = files("swagger_ui") / "static"
    return TEMPLATE.substitute(
        title=title,
        style=(assets / "swagger-ui.css").read_text(encoding="utf-8"),
        script=(assets / "swagger-ui-bundle.js").read_text(encoding="utf-8").replace("</script", r"<\/script"),
        document=json.dumps(document).replace("<", r"\u003c"),
    )


def main() -> None:
    """Write the page and print its path."""
    document = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(document, document["info"]["title"]), encoding="utf-8")
    print(PAGE.relative_to(ROOT))  # noqa: T201 - the result


if __name__ == "__main__":
    main()
