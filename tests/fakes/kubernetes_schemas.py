"""Whether Kubernetes would take an object, by its own schemas and without a cluster."""

import json
from functools import cache

import kubernetes_validate

from tests.fakes.chart import Rendered

# Of the operator of Prometheus, not of Kubernetes.
_NOT_OF_KUBERNETES = "monitoring.coreos.com/"


@cache
def _complaint(manifest: str, kubernetes: str) -> str:
    try:
        kubernetes_validate.validate(json.loads(manifest), kubernetes, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{list(error.path)}: {error.message}"
    return ""


def assert_valid(rendered: Rendered, kubernetes: str) -> None:
    """Check all objects against the schemas of a version, unknown fields included."""
    for manifest in rendered:
        if not manifest["apiVersion"].startswith(_NOT_OF_KUBERNETES):
            text = json.dumps(manifest, sort_keys=True)
            name = f"{manifest['kind']} {manifest['metadata']['name']}"
            assert (name, _complaint(text, kubernetes)) == (name, "")
