import shutil
from pathlib import Path

import pytest

from tests.deploy.budget_stories import Budget
from tests.deploy.stories import NODE, ramps, selector, steps
from tests.fakes.promtool import Case, Series, Value, assert_holds

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool on PATH"
)

BUDGET = "cluster_budget:jouled_carbon_budget"
THRESHOLD = "cluster_budget_window:jouled_carbon_budget_burn_rate:threshold"
JOBS = "cluster_scheduler:jouled_jobs:count"
DAY = 86400


def on(number: int, name: str, **labels: str) -> str:
    """Write a series of one of many nodes."""
    return selector(name, NODE, instance=f"n{number}:9878", **labels)


def check(folder: Path, series: Series, *values: Value) -> None:
    """Let promtool compare what comes out."""
    assert_holds(Case(series, values=values), folder)


def test_sums_over_a_cluster_survive_reboots_and_new_nodes(tmp_path: Path) -> None:
    """A sum of counters would fall by all that the node had ever used."""
    energy = "jouled_node_energy_joules_total"
    name = "cluster:jouled_node_energy_joules:rate5m"
    series = {
        on(1, energy): ramps((600, 60), begin=1e9),
        on(2, energy): ramps((1200, 30), begin=1e9) + " " + ramps((1200, 30)),
        on(3, energy): "_x40 " + ramps((60, 20), begin=1e9),
    }

    check(
        tmp_path,
        series,
        Value(29, name, {f'{name}{{cluster="main"}}': 10 + 20}),
        Value(36, name, {f'{name}{{cluster="main"}}': 10 + 20}),
        Value(59, name, {f'{name}{{cluster="main"}}': 10 + 20 + 1}),
    )


def test_nodes_are_counted_with_and_without_those_that_are_down(tmp_path: Path) -> None:
    """Whoever reads a sum has to know of how many it is one."""
    series = {on(n, "up"): steps((1, 10)) for n in (1, 2)}
    series[on(3, "up")] = steps((0, 10))

    check(
        tmp_path,
        series,
        Value(
            5, "cluster:jouled_up:count", {'cluster:jouled_up:count{cluster="main"}': 3}
        ),
        Value(5, "cluster:jouled_up:sum", {'cluster:jouled_up:sum{cluster="main"}': 2}),
    )


def test_devices_that_are_missing_are_added_up_beside_power(tmp_path: Path) -> None:
    """Whoever reads a sum has to know what it lacks; where all is read that is 0."""
    name = "cluster_component:jouled_devices_missing:sum"
    missing = "jouled_devices_missing"
    series = {
        on(1, missing, component="gpu"): steps((1, 10)),
        on(2, missing, component="gpu"): steps((2, 10)),
        on(1, missing, component="cpu"): steps((0, 10)),
    }

    expected = {
        f'{name}{{cluster="main", component="gpu"}}': 3,
        f'{name}{{cluster="main", component="cpu"}}': 0,
    }
    check(tmp_path, series, Value(5, name, expected))


def test_a_source_is_down_where_it_exists_and_fails(tmp_path: Path) -> None:
    """What a machine never had would hide what a machine has lost."""
    up, errors = "jouled_source_up", "jouled_source_errors_total"
    name = "cluster_source_reason:jouled_sources_down:count"
    series = {
        on(1, up, source="nvml"): steps((0, 20)),
        on(1, errors, source="nvml", reason="timeout"): ramps((60, 20)),
        on(2, up, source="nvml"): steps((0, 20)),
        on(2, errors, source="nvml", reason="timeout"): ramps((60, 20)),
        # Failed once, and is well again.
        on(3, up, source="nvml"): steps((1, 20)),
        on(3, errors, source="nvml", reason="timeout"): ramps((60, 20)),
        # Never had one.
        on(4, up, source="rapl"): steps((0, 20)),
        on(4, errors, source="rapl", reason="absent"): ramps((60, 20)),
    }

    labels = 'cluster="main", reason="timeout", source="nvml"'
    check(tmp_path, series, Value(15, name, {f"{name}{{{labels}}}": 2}))


def test_the_fallback_share_is_of_grams_and_absent_without_any(tmp_path: Path) -> None:
    """Zero grams divided by zero grams is no share."""
    name = "cluster:jouled_node_emissions_fallback:ratio_rate5m"
    series = {
        on(1, "jouled_node_emissions_grams_total"): ramps((60, 20)),
        on(1, "jouled_node_emissions_fallback_grams_total"): ramps((30, 20)),
        on(2, "jouled_node_emissions_grams_total"): ramps((180, 20)),
        on(2, "jouled_node_emissions_fallback_grams_total"): ramps((0, 20)),
        on(3, "jouled_node_emissions_grams_total", cluster="idle"): ramps((0, 20)),
        on(3, "jouled_node_emissions_fallback_grams_total", cluster="idle"): ramps(
            (0, 20)
        ),
    }

    check(tmp_path, series, Value(15, name, {f'{name}{{cluster="main"}}': 0.125}))


def test_waste_is_what_idles_and_what_nobody_holds(tmp_path: Path) -> None:
    """The work of the system, and of who is not known, is no waste."""
    counter = "jouled_unattributed_energy_joules_total"
    series = {
        on(1, "jouled_node_energy_joules_total"): ramps((6000, 20)),
        on(1, counter, component="cpu", reason="idle"): ramps((600, 20)),
        on(2, counter, component="gpu", reason="unallocated"): ramps((1200, 20)),
        on(2, counter, component="cpu", reason="system"): ramps((300, 20)),
        on(2, counter, component="gpu", reason="unknown"): ramps((60, 20)),
    }
    waste = "cluster:jouled_wasted_energy_joules:rate5m"
    share = "cluster_reason:jouled_unattributed_energy:ratio_rate5m"

    check(
        tmp_path,
        series,
        Value(15, waste, {f'{waste}{{cluster="main"}}': 30}),
        Value(
            15,
            f'{share}{{reason="unallocated"}}',
            {f'{share}{{cluster="main", reason="unallocated"}}': 0.2},
        ),
    )


def test_tenants_are_summed_over_nodes_users_and_schedulers(tmp_path: Path) -> None:
    """A tenant that was idle and comes back with its old total adds nothing at once."""
    counter = "jouled_tenant_energy_joules_total"
    ada = {"scheduler": "slurm", "tenant": "physics", "user": "ada"}
    bob = {"scheduler": "slurm", "tenant": "physics", "user": "bob"}
    pods = {"scheduler": "kubernetes", "tenant": "shop", "user": ""}
    series = {
        on(1, counter, **ada): ramps((600, 60)),
        on(2, counter, **ada): "7e6+600x9 stale _x29 7005400+600x20",
        on(2, counter, **bob): ramps((60, 60)),
        on(3, counter, **pods): ramps((120, 60)),
    }
    user = "cluster_tenant_user:jouled_tenant_energy_joules:rate5m"
    tenant = "cluster_tenant:jouled_tenant_energy_joules:rate5m"
    scheduler = "cluster_scheduler:jouled_tenant_energy_joules:rate5m"

    check(
        tmp_path,
        series,
        Value(
            58,
            f'{user}{{user="ada"}}',
            {
                f'{user}{{cluster="main", scheduler="slurm", tenant="physics", '
                f'user="ada"}}': 20
            },
        ),
        Value(
            30,
            f'{tenant}{{tenant="physics"}}',
            {f'{tenant}{{cluster="main", scheduler="slurm", tenant="physics"}}': 11},
        ),
        Value(
            58,
            scheduler,
            {
                f'{scheduler}{{cluster="main", scheduler="slurm"}}': 21,
                f'{scheduler}{{cluster="main", scheduler="kubernetes"}}': 2,
            },
        ),
    )


def test_a_job_is_added_up_over_its_nodes(tmp_path: Path) -> None:
    """One number for each job, whatever the number of nodes and components."""
    job = {"scheduler": "slurm", "job_id": "7", "user": "ada", "account": "physics"}
    written = ", ".join(f'{k}="{v}"' for k, v in {"cluster": "main", **job}.items())
    series = {}
    for node in (1, 2):
        series[on(node, "jouled_job_emissions_grams_total", **job)] = ramps((5, 20))
        series[on(node, "jouled_job_gpus", **job)] = steps((4, 20))
        for component in ("cpu", "gpu"):
            labels = {**job, "component": component}
            series[on(node, "jouled_job_power_watts", **labels)] = steps((100, 20))
            series[on(node, "jouled_job_energy_joules_total", **labels)] = ramps(
                (6000, 20)
            )
    # The second node does not tell how busy its GPUs are.
    series[on(1, "jouled_job_gpu_utilization_ratio", **job)] = steps((0.5, 20))

    def one(name: str, value: float) -> Value:
        return Value(
            10, f"cluster_job:{name}", {f"cluster_job:{name}{{{written}}}": value}
        )

    check(
        tmp_path,
        series,
        one("jouled_job_nodes:count", 2),
        one("jouled_job_power_watts:sum", 400),
        one("jouled_job_energy_joules:sum", 240_000),
        one("jouled_job_emissions_grams:sum", 100),
        one("jouled_job_gpus:sum", 8),
        one("jouled_job_gpu_utilization:ratio", 0.5),
        Value(10, JOBS, {f'{JOBS}{{cluster="main", scheduler="slurm"}}': 1}),
    )


def test_the_jobs_that_draw_the_most_are_told_apart(tmp_path: Path) -> None:
    """A list asks for these alone, and finds the same of each in every column."""
    series = {}
    for number in range(60):
        job = {"scheduler": "slurm", "job_id": f"{number}"}
        series[on(1, "jouled_job_power_watts", **job, component="cpu")] = steps(
            (100 + number, 20)
        )
        series[on(1, "jouled_job_emissions_grams_total", **job)] = ramps((5, 20))
    pod = {"scheduler": "kubernetes", "job_id": "shop", "pod": "shop-1"}
    series[on(2, "jouled_job_power_watts", **pod, component="cpu")] = steps((1, 20))
    power = "cluster_top_job:jouled_job_power_watts:sum"
    grams = "cluster_top_job:jouled_job_emissions_grams:sum"

    check(
        tmp_path,
        series,
        Value(
            10,
            f"min by (scheduler) ({power})",
            {
                '{scheduler="slurm"}': 110,
                '{scheduler="kubernetes"}': 1,
            },
        ),
        Value(10, f"count({grams})", {"{}": 50}),
        Value(10, f"count({power} and {grams})", {"{}": 50}),
    )


def test_use_of_gpus_is_a_mean_over_those_whose_use_is_known(tmp_path: Path) -> None:
    """A job of one busy GPU weighs less than one of seven that idle."""
    series = {}
    for job_id, gpus, use in (("7", 1, 1.0), ("8", 7, 0.2)):
        job = {"scheduler": "slurm", "job_id": job_id, "user": "ada"}
        series[on(1, "jouled_job_gpus", **job)] = steps((gpus, 20))
        series[on(1, "jouled_job_gpu_utilization_ratio", **job)] = steps((use, 20))
    silent = {"scheduler": "slurm", "job_id": "9", "user": "ada"}
    series[on(2, "jouled_job_gpus", **silent)] = steps((4, 20))
    busy, known = (
        f"cluster:jouled_job_gpus_{which}:sum" for which in ("busy", "known")
    )

    check(
        tmp_path,
        series,
        Value(10, f"{busy} / {known}", {'{cluster="main"}': (1 + 7 * 0.2) / 8}),
    )


def test_gpus_that_are_held_and_not_used_are_counted(tmp_path: Path) -> None:
    """Part by part: a job may use one node and forget the other."""
    job = {"scheduler": "slurm", "job_id": "7", "user": "ada"}
    series = {
        on(1, "jouled_job_gpus", **job): steps((4, 20)),
        on(1, "jouled_job_gpu_utilization_ratio", **job): steps((0.9, 20)),
        on(2, "jouled_job_gpus", **job): steps((4, 20)),
        on(2, "jouled_job_gpu_utilization_ratio", **job): steps((0.0, 20)),
        on(3, "jouled_job_gpus", **job): steps((0, 20)),
    }

    check(
        tmp_path,
        series,
        Value(
            10,
            "cluster:jouled_job_gpus_idle:sum",
            {'cluster:jouled_job_gpus_idle:sum{cluster="main"}': 4},
        ),
        Value(
            10,
            "cluster:jouled_job_gpus:sum",
            {'cluster:jouled_job_gpus:sum{cluster="main"}': 8},
        ),
    )


def test_where_all_gpus_are_used_none_is_held_idle(tmp_path: Path) -> None:
    """A count that is gone would leave the last one standing in a legend."""
    job = {"scheduler": "slurm", "job_id": "7", "user": "ada"}
    series = {
        on(1, "jouled_job_gpus", **job): steps((4, 20)),
        on(1, "jouled_job_gpu_utilization_ratio", **job): steps((0.9, 20)),
    }
    name = "cluster:jouled_job_gpus_idle:sum"

    check(tmp_path, series, Value(10, name, {f'{name}{{cluster="main"}}': 0}))


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0.1, {}),
        (0.5, {"1h": 3}),
        (1, {"1h": 3, "6h": 2.5}),
        (7, {"1h": 3.36, "6h": 2.5, "1d": 2}),
        (28, {"1h": 13.44, "6h": 5.6, "1d": 2.8}),
        (30, {"1h": 14.4, "6h": 6, "1d": 3}),
        (90, {"1h": 43.2, "6h": 18, "1d": 9}),
        (365, {"1h": 43.2, "6h": 18, "1d": 9}),
    ],
)
def test_the_pace_that_alarms_fits_the_length_of_the_period(
    days: float, expected: dict[str, float], tmp_path: Path
) -> None:
    """The same part of the budget, within what is sane for a day and for a year."""
    samples = {
        f'{THRESHOLD}{{budget="gpu-2026", cluster="main", window="{window}"}}': value
        for window, value in expected.items()
    }

    check(
        tmp_path,
        Budget(days=days, day=days / 3).series(),
        Value(5, THRESHOLD, samples),
    )


def test_two_hubs_that_disagree_are_one_budget(tmp_path: Path) -> None:
    """One that is reloaded later than the other must not stop every alert."""
    series = {
        **Budget(spent=((0.25, 20),)).series(),
        **Budget(
            spent=((0.25005, 20),), instance="hub2:9879", team="chemistry"
        ).series(),
    }
    ratio = f"{BUDGET}_spent:ratio"

    check(
        tmp_path,
        series,
        Value(
            5,
            ratio,
            {f'{ratio}{{budget="gpu-2026", cluster="main"}}': 0.25005},
        ),
        Value(5, f"count({BUDGET}_info:data)", {"{}": 1}),
    )


def test_a_budget_is_told_how_far_it_is_ahead_of_an_even_pace(tmp_path: Path) -> None:
    """In time, which needs no unit and no length of the period to understand."""
    name = f"round({BUDGET}_ahead_seconds:max)"

    check(
        tmp_path,
        Budget(days=30, day=10, spent=((0.5, 20),)).series(),
        Value(0, name, {'{budget="gpu-2026", cluster="main"}': 5 * DAY}),
    )


@pytest.mark.parametrize(
    ("amount", "spent"),
    [
        ("jouled_carbon_budget_grams", "jouled_carbon_budget_spent_grams"),
        ("jouled_energy_budget_joules", "jouled_energy_budget_spent_joules"),
        ("jouled_cost_budget", "jouled_cost_budget_spent"),
    ],
)
def test_amounts_are_there_whatever_a_budget_is_counted_in(
    amount: str, spent: str, tmp_path: Path
) -> None:
    """An alert on money says as much as one on grams."""
    hub = {"cluster": "main", "instance": "hub:9879", "budget": "gpu-2026"}
    series = {
        selector(amount, hub, currency="EUR"): steps((1000, 20)),
        selector(spent, hub, currency="EUR"): steps((250, 20)),
    }
    labels = '{budget="gpu-2026", cluster="main"}'

    check(
        tmp_path,
        series,
        Value(5, f"{BUDGET}_amount:max", {f"{BUDGET}_amount:max{labels}": 1000}),
        Value(
            5, f"{BUDGET}_spent_amount:max", {f"{BUDGET}_spent_amount:max{labels}": 250}
        ),
    )


def test_data_without_a_word_on_its_quality_is_estimated(tmp_path: Path) -> None:
    """What nobody vouches for is not called live."""
    series = {
        name: values
        for name, values in Budget().series().items()
        if "data_quality" not in name
    }
    name = f"{BUDGET}_info:data"
    labels = (
        '{budget="gpu-2026", cluster="main", data="estimated", period="month", '
        'team="physics", unit="grams"}'
    )

    check(tmp_path, series, Value(5, name, {f"{name}{labels}": 1}))
