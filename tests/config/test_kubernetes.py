import pytest

from exporter.config import SETTINGS
from exporter.config.kubernetes import Kubernetes
from exporter.core.errors import ConfigError


def _parse(key: str, text: str) -> object:
    (setting,) = (each for each in SETTINGS if each.key == key)
    return setting.kind.parse(text)


def test_labels_of_pods_become_valid_names_of_labels() -> None:
    """Prometheus allows fewer characters than Kubernetes does."""
    settings = Kubernetes(pod_labels=("team", "app.kubernetes.io/part-of"))

    assert settings.info_labels == {
        "team": "label_team",
        "app.kubernetes.io/part-of": "label_app_kubernetes_io_part_of",
    }


def test_two_labels_of_one_name_are_refused() -> None:
    """One of them would silently be the other."""
    with pytest.raises(ConfigError, match=r"pod_labels: a\.b .* label_a_b"):
        Kubernetes(pod_labels=("a.b", "a-b"))


def test_a_kubelet_that_is_to_be_asked_has_an_address() -> None:
    """Else every pod would silently be nameless."""
    with pytest.raises(ConfigError, match="kubelet_url"):
        Kubernetes(names="kubelet")


@pytest.mark.parametrize(
    "text",
    [
        *("http://127.0.0.1:10250", "127.0.0.1:10250", "https://", "https://:1"),
        *("https://kubelet/pods", "https://user@kubelet", "https://kubelet:0"),
        *("https://kubelet:x", "https://a b", "https://[::1"),
    ],
)
def test_an_address_of_a_kubelet_without_tls_is_refused(text: str) -> None:
    """A token is shown there, which whoever listens could use."""
    with pytest.raises(ValueError, match=r".*"):
        _parse("kubernetes.kubelet_url", text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://kubelet", "https://kubelet"),
        ("https://kubelet:10250/", "https://kubelet:10250"),
        ("https://[fe80::1]:10250", "https://[fe80::1]:10250"),
        ("https://[fe80::1]", "https://[fe80::1]"),
    ],
)
def test_a_kubelet_is_named_by_host_and_port(text: str, url: str) -> None:
    """The port is that of HTTPS if there is none."""
    assert _parse("kubernetes.kubelet_url", text) == url


@pytest.mark.parametrize("text", ["*", "nvidia.com/", "a/b/c", "a b", "nvidia.com/g*u"])
def test_what_is_no_resource_is_refused(text: str) -> None:
    """It would silently match nothing, or everything."""
    with pytest.raises(ValueError, match=r".*"):
        _parse("kubernetes.gpu_resources", text)


def test_a_list_may_be_empty() -> None:
    """A node whose GPUs nobody hands out."""
    assert _parse("kubernetes.gpu_resources", "") == ()
