"""``cartctl stats``: what visitors did in a shop's search engines."""

from cartctl.commands import stats_replay, stats_show
from cartctl.shell import App

app = App("Show statistics: what visitors did in a shop's search engines.")
app.command()(stats_show.show)
app.command()(stats_replay.replay)
