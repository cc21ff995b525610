"""A storefront that uses a client library: the calls of a search session's cart, as each library has them."""

from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from local.stack import Stack
from tests.clients.items import ID, INDEX, Item
from tests.clients.library import FOLDER, VENVS, Library, Outcome
from tools.client_packages import MODULES


class PyDoof:
    """PyDoof 4.2.0 or 4.3.0. Only 4.2.0 has functions for PATCH and DELETE; 4.3.0 has the client's methods for them."""

    errors: ClassVar = {400: "BadRequestError", 403: "ForbiddenError"}

    def __init__(self, library: Library, stack: Stack, session: str) -> None:
        self.library, self.hashid = library, stack.hashid
        self.options = {"search_url": stack.search_url, "token": stack.api_key}
        # PyDoof quotes what a path may not contain, but not these, and leaves what is percent-encoded.
        self.session = quote(session, safe="") if {*session} & {*"%#?/"} else session

    def use(self, key: str) -> None:
        self.options["token"] = key

    def call(self, name: str, **arguments: Any) -> Outcome:
        return self.library.call(name, options=self.options, arguments=arguments)

    def event(self, name: str, **arguments: object) -> Outcome:
        """Log an event of the session, by the name of its route."""
        function, renamed = EVENTS[name]
        values = {renamed.get(field, field): value for field, value in arguments.items()}
        return self.call(function, hashid=self.hashid, session_id=self.session, **values)

    def add(self, item: Item) -> Outcome:
        values = {"item_id": item.id, "amount": item.amount, "title": item.title, "price": item.price}
        return self.call("add_to_cart", hashid=self.hashid, session_id=self.session, index_name=item.index, **values)

    def remove(self, amount: object) -> Outcome:
        if self.library.version == "4.2.0":
            item = {"index_name": INDEX, "item_id": ID, "amount": amount}
            return self.call("remove_from_cart", hashid=self.hashid, session_id=self.session, **item)
        return self.call("patch", url=self._path, query_params={"index": INDEX, "id": ID, "amount": amount})

    def clear(self) -> Outcome:
        if self.library.version == "4.2.0":
            return self.call("clear_cart", hashid=self.hashid, session_id=self.session)
        return self.call("delete", url=self._path)

    @property
    def _path(self) -> str:
        return f"/6/{self.hashid}/stats/cart/{self.session}"


class JsDoofinder:
    """js-doofinder 5.13.4, which was written for version 5 of Doofinder's API.

    Its cart functions call routes of that version, which are 404 here. Its `Client.stats` reaches the cart's routes if
    the option `version` contains the path up to the hashid and `requestOptions` has a method: it sends GET otherwise.
    The library does not encode a session id, so its caller must.
    """

    errors: ClassVar = {400: "error", 403: "error"}

    def __init__(self, library: Library, stack: Stack, session: str) -> None:
        self.library, self.session, self.hashid = library, session, stack.hashid
        url = urlsplit(stack.search_url)
        self.stage = url.path.strip("/")
        self.options: dict[str, Any] = {"address": f"{url.scheme}://{url.netloc}"}
        self.use(stack.api_key.rpartition("-")[2])

    def use(self, key: str) -> None:
        self.options["apiKey"] = f"eu1-{key}"

    def event(self, name: str, **arguments: object) -> Outcome:
        """Log an event of the session, by the name of its route. Without a method, the library sends GET."""
        return self.stats(None, event=name, session_id=self.session, **arguments)

    def stats(self, method: str | None, event: str = "", **parameters: object) -> Outcome:
        """Call `Client.stats` for the cart, or for another event."""
        return self.library.call(
            "stats",
            hashid=self.hashid,
            options={**self.options, "version": f"{self.stage}/6/{self.hashid}"},
            method=method,
            parameters=[event or f"cart/{quote(self.session, safe='')}", parameters],
        )

    def function(self, version: str, name: str, *parameters: object) -> Outcome:
        """Call a function of `Stats`."""
        options = {**self.options, "version": f"{self.stage}/{version}"}
        return self.library.call(name, hashid=self.hashid, options=options, parameters=[self.session, *parameters])

    def add(self, item: Item) -> Outcome:
        values = {"id": item.id, "index": item.index, "title": item.title, "amount": item.amount, "price": item.price}
        return self.stats("PUT", session_id=self.session, **values)

    def remove(self, amount: object) -> Outcome:
        return self.stats("PATCH", session_id=self.session, id=ID, index=INDEX, amount=amount)

    def clear(self) -> Outcome:
        return self.stats("DELETE", session_id=self.session)


EVENTS: dict[str, tuple[str, dict[str, str]]] = {
    "init": ("init_session", {}),
    "click": ("click_stats", {}),
    "image": ("log_banner_image_click", {}),
    "redirect": ("log_redirect", {"id": "redirection_id"}),
    "checkout": ("log_checkout", {}),
}
"""PyDoof's function for each event, and its other names of parameters."""
Storefront = PyDoof | JsDoofinder
PYDOOF = {version: VENVS / f"pydoof-{version}" / "bin" / "python" for version in ("4.2.0", "4.3.0")}
COMMANDS: dict[str, list[str | Path]] = {
    **{version: [python, FOLDER / "call_pydoof.py"] for version, python in PYDOOF.items()},
    "5.13.4": ["node", FOLDER / "call_js_doofinder.cjs", MODULES],
}
"""The command that runs each version of a library."""
