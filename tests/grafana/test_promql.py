import pytest

from tests.grafana.promql import Reading, labels_of, names_in

KNOWN = {
    "power": frozenset({"cluster", "instance", "device"}),
    "info": frozenset({"cluster", "instance", "device", "model"}),
    "total": frozenset({"cluster"}),
}


@pytest.mark.parametrize(
    ("expression", "labels"),
    [
        ("power", {"cluster", "instance", "device"}),
        ("rate(power[5m])", {"cluster", "instance", "device"}),
        ("max_over_time(sum by (cluster) (power)[1h:5m])", {"cluster"}),
        ("quantile_over_time(0.9, power[1h])", {"cluster", "instance", "device"}),
        ("sum(power)", set()),
        ("sum by (instance) (power)", {"instance"}),
        ("sum without (device) (power)", {"cluster", "instance"}),
        ("topk(5, power)", {"cluster", "instance", "device"}),
        ("-(power)", {"cluster", "instance", "device"}),
        ("2 * power > bool 1", {"cluster", "instance", "device"}),
        ("time() - power", {"cluster", "instance", "device"}),
        ("vector(0)", set()),
        ("sum by (cluster) (power) / on (cluster) total", {"cluster"}),
        ("power / on (cluster) group_left () total", {"cluster", "instance", "device"}),
        (
            "power * on (instance, device) group_left (model) info",
            {"cluster", "instance", "device", "model"},
        ),
        (
            "total * on (cluster) group_right () power",
            {"cluster", "instance", "device"},
        ),
        ("power * ignoring (model) info", {"cluster", "instance", "device"}),
        ("power unless on (instance) info", {"cluster", "instance", "device"}),
        ("total or power", {"cluster", "instance", "device"}),
        (
            'label_replace(total, "site", "$1", "cluster", "(.*)")',
            {"cluster", "site"},
        ),
        (
            'label_join(power, "where", "/", "instance", "device")',
            {"cluster", "instance", "device", "where"},
        ),
    ],
)
def test_the_labels_of_an_answer_are_worked_out(
    expression: str, labels: set[str]
) -> None:
    """As Prometheus does it, so that a legend can be held to them."""
    assert labels_of(expression, KNOWN) == labels


@pytest.mark.parametrize(
    "expression",
    [
        "unknown",
        "power{model='x'}",
        "rate(power{model='x'}[5m])",
        "sum by (model) (power)",
        "topk by (model) (1, power)",
        "power / total",
        "power and total",
        "power * on (model) info",
        "power * on (instance) group_left (site) info",
        "power * ignoring (site) info",
        "label_replace(total, 'site', '$1', 'model', '(.*)')",
        "sum((power)",
    ],
)
def test_what_cannot_be_is_told(expression: str) -> None:
    """Prometheus itself answers most of these with nothing at all."""
    reading = Reading(KNOWN.get)

    reading.labels(expression)

    assert reading.faults
    with pytest.raises(ValueError, match=reading.faults[0][:10]):
        labels_of(expression, KNOWN)


def test_every_name_within_is_found() -> None:
    """Rules are put in order by them."""
    expression = "sum(rate(power[5m])) / on () max_over_time(total[1h:1m]) or -info"

    assert names_in(expression) == {"power", "total", "info"}
