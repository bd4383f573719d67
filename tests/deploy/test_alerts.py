import shutil
from pathlib import Path

import pytest

from tests.deploy import budget_stories, cluster_stories, node_stories
from tests.deploy.stories import Calm, Story
from tests.fakes.promtool import (
    RULES,
    Case,
    Moment,
    Value,
    alert_rules,
    assert_holds,
    rule_files,
)

STORIES = (*node_stories.STORIES, *cluster_stories.STORIES, *budget_stories.STORIES)
CALMS = (*node_stories.CALMS, *cluster_stories.CALMS, *budget_stories.CALMS)


needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool on PATH"
)


def files_for(alert: str) -> list[Path]:
    """Return the files that have a say in an alert; all would take twice as long."""
    file = alert_rules()[alert].file
    is_budget = "budget" in file
    records = [f for f in rule_files() if f.name.startswith("record-")]
    return [RULES / file, *(f for f in records if ("budget" in f.name) == is_budget)]


def name_of(about: Story | Calm) -> str:
    """Return what a test on it is called."""
    return about.alert


@needs_promtool
@pytest.mark.parametrize("story", STORIES, ids=name_of)
def test_an_alert_fires_when_it_should_and_resolves(
    story: Story, tmp_path: Path
) -> None:
    """With all its labels, and a sentence that has the right numbers."""
    case = Case(
        story.series,
        moments=[
            Moment(story.silent, story.alert),
            Moment(story.fires, story.alert, story.told),
            Moment(story.resolved, story.alert),
        ],
    )

    assert_holds(case, tmp_path, files_for(story.alert))


@needs_promtool
@pytest.mark.parametrize("calm", CALMS, ids=name_of)
def test_what_only_looks_like_trouble_stays_unsaid(calm: Calm, tmp_path: Path) -> None:
    """An alert that cries wolf is switched off, and then it is not there."""
    firing = f'ALERTS{{alertname="{calm.alert}", alertstate="firing"}}'
    never = Value(calm.minutes, f"count_over_time({firing}[{calm.minutes}m])", {})

    case = Case(calm.series, values=[never])
    assert_holds(case, tmp_path, files_for(calm.alert))


def test_every_alert_is_shown_to_fire_to_resolve_and_to_stay_quiet() -> None:
    """A rule that nobody has seen fire is a hope."""
    known = sorted(alert_rules())

    assert sorted({story.alert for story in STORIES}) == known
    assert sorted({calm.alert for calm in CALMS}) == known
