"""`mlm alerts`: who is told, what is open, what could not be delivered; send what is due; send a test message."""

from datetime import UTC, datetime
from typing import Any

from dagster import DagsterInstance
from rich.console import Console
from rich.table import Table

from mlm_assets import alerts
from mlm_assets.alerts import messages, targets
from mlm_assets.alerts.delivery import route_problem
from mlm_assets.alerts.ledger import read_ledger
from mlm_assets.alerts.routes import URLS_VARIABLE, load_routes, routes_file
from mlm_assets.alerts.text import count, some
from mlm_assets.automation.instance import require_home
from mlm_assets.automation.observed import observe
from mlm_assets.errors import Refused
from mlm_assets.resources.lake import Lake, open_lake
from mlm_assets.settings import Settings, use_home

_MESSAGES = 10


def list_alerts(settings: Settings) -> dict[str, Any]:
    """Return the routes (never their addresses), the open incidents, what is undelivered, and the last messages.

    Raises:
        Refused: the folder is no home, or the file of routes is not understood.
        MlmError: the ledger cannot be understood.
    """
    require_home(settings)
    book = read_ledger(settings.home)
    return {
        "routes": [
            {
                "route": way.name, "variable": way.variable, "addresses": len(way.urls), "owners": list(way.owners),
                "severities": list(way.severities), "problem": route_problem(way),
            }
            for way in load_routes(settings)
        ],
        "incidents": [
            {
                **one.key._asdict(), "severity": one.problem.severity, "partitions": list(one.problem.partitions),
                "sentence": one.problem.sentence, "cause": one.problem.cause, "first_seen": one.first_seen,
                "told": {route: told.at for route, told in one.told.items()},
            }
            for one in book.open_incidents()
        ],
        "undelivered": undelivered(settings),
        "messages": [
            {"at": one.at, "route": one.route, "kind": one.kind, "title": one.title, "delivered": one.is_delivered}
            for one in book.messages[-_MESSAGES:]
        ],
    }  # fmt: skip


def undelivered(settings: Settings) -> list[dict[str, Any]]:
    """Return what is still to be delivered, oldest first."""
    return [
        {
            "route": message.route, "address": one.number, "title": message.title, "attempts": one.attempts,
            "error": one.error or ("the route has no address" if one.number == 0 else ""), "next_at": one.next_at,
        }
        for message, one in read_ledger(settings.home).undelivered()
    ]  # fmt: skip


def show(said: dict[str, Any], console: Console) -> None:
    """Print what `list_alerts` found."""
    if not said["routes"]:
        console.print(f"Nobody is told: set {URLS_VARIABLE}, or write an alerts.toml (docs/alerts.md).")
    for one in said["routes"]:
        who = f"owners {some(one['owners'])}" if one["owners"] else "all owners"
        what = some(one["severities"]) if one["severities"] else "everything"
        console.print(f"route {one['route']}: {count(one['addresses'], 'address', 'addresses')}, {who}, {what}")
        if one["problem"]:
            console.print(f"! {one['problem']}")
    table = Table(title=f"{count(len(said['incidents']), 'open problem')}", title_justify="left")
    for column in ("release", "what", "severity", "partitions", "since", "told"):
        table.add_column(column, overflow="fold")
    for one in said["incidents"]:
        what = f"{one['table']} · {one['check']}" if one["check"] else f"{one['kind']}: {one['table']}"
        told = some(list(one["told"])) if one["told"] else "nobody"
        table.add_row(
            one["release"], what, one["severity"], str(len(one["partitions"]) or ""), one["first_seen"][:16], told
        )
    console.print(table)
    for one in said["undelivered"]:
        tried = f"tried {one['attempts']} times" if one["attempts"] else "not tried yet"
        console.print(
            f"! undelivered to route {one['route']}, address {one['address']}: {one['title']} ({tried}; {one['error']})"
        )
    for one in said["messages"]:
        console.print(f"{one['at'][:16]}  {one['route']}  {one['title']}")


def send(settings: Settings) -> alerts.Delivered:
    """Look at a home and its instance, tell what is news, and deliver what is due, now.

    Raises:
        Refused: the folder is no home, or the file of routes is not understood.
        MlmError: the ledger or an audit cannot be read.
    """
    require_home(settings)
    load_routes(settings)
    use_home(settings.home)
    with DagsterInstance.get() as instance:
        return alerts.deliver(settings, open_lake(settings), observe(instance, settings), wait_s=60.0, budget_s=300.0)


def tell(settings: Settings, lake: Lake, instance: DagsterInstance, release: str) -> alerts.Delivered:
    """Tell what is news at the end of `mlm run`, however it ended; what cannot be delivered waits in the ledger."""
    return alerts.deliver(settings, lake, observe(instance, settings), finished=release, wait_s=30.0, budget_s=60.0)


def test(settings: Settings) -> list[dict[str, Any]]:
    """Send a test message to each address of each route; return what became of each (`error` is empty if it arrived).

    Raises:
        Refused: there is no route, or the file of routes is not understood.
    """
    ways = load_routes(settings)
    if not ways:
        raise Refused(f"There is no route: set {URLS_VARIABLE}, or write {routes_file(settings)} (docs/alerts.md).")
    now = datetime.now(UTC)
    title, body = messages.plain(settings, "", "a test", [f"This is a test, sent {now:%Y-%m-%d %H:%M} UTC."])
    results = []
    for way in ways:
        if not way.urls:
            results.append({"route": way.name, "address": 0, "error": route_problem(way)})
        for number, url in enumerate(way.urls, 1):
            error = targets.send(url, title, body, "test") or ""
            results.append({"route": way.name, "address": number, "error": error})
    return results


def show_test(results: list[dict[str, Any]], console: Console) -> None:
    """Print what became of the test messages."""
    for one in results:
        where = f"route {one['route']}, address {one['address']}" if one["address"] else f"route {one['route']}"
        console.print(f"{where}: {one['error'] or 'delivered'}")
