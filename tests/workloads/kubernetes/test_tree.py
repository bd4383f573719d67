"""Where pods are found, and what is taken for one."""

from pathlib import Path

import pytest

from exporter.workloads.cgroups import CgroupTrees, find_trees
from exporter.workloads.kubernetes.tree import Listing, has_pods, pod_in_path, scan

_UID = "586a56e0-4739-cd85-2be8-086aa8e9ac42"
_UNDERSCORED = _UID.replace("-", "_")
_STATIC = "586a56e04739cd852be8086aa8e9ac42"
_CONTAINER = "b8bd708abc05a659edc3b4fb73cdbb34d0427a8a5067589084c6f2aa3ffe6345"


def _trees(root: Path, *paths: str, version: int = 2) -> CgroupTrees:
    for path in paths:
        (root / path).mkdir(parents=True, exist_ok=True)
    if version == 2:
        (root / "cgroup.controllers").touch()
    return find_trees(root)


def _uids(listing: Listing) -> list[str]:
    return sorted(place.uid for place in listing.pods)


@pytest.mark.parametrize(
    ("path", "uid"),
    [
        (f"kubepods/burstable/pod{_UID}", _UID),
        (f"kubepods/besteffort/pod{_UID}", _UID),
        (f"kubepods/pod{_UID}", _UID),
        (f"kubepods/burstable/pod{_STATIC}", _STATIC),
        (
            (
                "kubepods.slice/kubepods-burstable.slice/"
                f"kubepods-burstable-pod{_UNDERSCORED}.slice"
            ),
            _UID,
        ),
        (
            (
                "kubepods.slice/kubepods-besteffort.slice/"
                f"kubepods-besteffort-pod{_UNDERSCORED}.slice"
            ),
            _UID,
        ),
        (f"kubepods.slice/kubepods-pod{_UNDERSCORED}.slice", _UID),
        (
            (
                "kubepods.slice/kubepods-burstable.slice/"
                f"kubepods-burstable-pod{_STATIC}.slice"
            ),
            _STATIC,
        ),
        (f"kubelet/kubepods/burstable/pod{_UID}", _UID),
        (
            (
                "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
                f"kubelet-kubepods-burstable-pod{_UNDERSCORED}.slice"
            ),
            _UID,
        ),
        (
            (
                f"system.slice/docker-{_CONTAINER}.scope/kubelet.slice/"
                "kubelet-kubepods.slice/"
                f"kubelet-kubepods-pod{_UNDERSCORED}.slice"
            ),
            _UID,
        ),
        (f"docker/{_CONTAINER}/kubelet/kubepods/besteffort/pod{_UID}", _UID),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_a_pod_is_found_by_the_shape_of_its_path(
    tmp_path: Path, path: str, uid: str, version: int
) -> None:
    """Both drivers, every class, static pods, kind from inside and outside."""
    prefix = "cpu,cpuacct/" if version == 1 else ""
    trees = _trees(tmp_path, f"{prefix}{path}/{_CONTAINER}", version=version)

    listing = scan(trees)

    (place,) = listing.pods
    assert (place.path, place.uid) == (path, uid)
    assert place.controller == ("cpuacct" if version == 1 else None)
    assert place.inode > 0
    assert has_pods(trees)


def test_containers_are_no_pods_whatever_runs_them(tmp_path: Path) -> None:
    """The counter of a pod holds those of its containers: they would count twice."""
    pod = f"kubepods.slice/kubepods-pod{_UNDERSCORED}.slice"
    trees = _trees(
        tmp_path,
        *(f"{pod}/{name}-{_CONTAINER}.scope" for name in ("cri-containerd", "crio")),
        f"{pod}/docker-{_CONTAINER}.scope",
        f"{pod}/crio-conmon-{_CONTAINER}.scope",
    )

    listing = scan(trees)

    assert _uids(listing) == [_UID]


def test_a_hybrid_machine_counts_each_pod_once(tmp_path: Path) -> None:
    """Systemd makes the same slices in the tree of version 2 beside it."""
    pod = f"kubepods.slice/kubepods-pod{_UNDERSCORED}.slice"
    (tmp_path / "unified" / pod).mkdir(parents=True)
    (tmp_path / "unified" / "cgroup.controllers").touch()
    for controller in ("cpuacct", "memory", "devices"):
        (tmp_path / controller / pod).mkdir(parents=True)

    listing = scan(find_trees(tmp_path))

    assert [place.controller for place in listing.pods] == ["cpuacct"]
    assert [root.path for root in listing.roots] == ["kubepods.slice"]


def test_a_hybrid_machine_may_keep_pods_in_version_2(tmp_path: Path) -> None:
    """Then there is nothing of them in the trees of version 1."""
    (tmp_path / "unified" / "kubepods" / f"pod{_UID}").mkdir(parents=True)
    (tmp_path / "unified" / "cgroup.controllers").touch()
    (tmp_path / "cpuacct" / "user.slice").mkdir(parents=True)

    listing = scan(find_trees(tmp_path))

    assert [place.controller for place in listing.pods] == [None]


def test_two_kubelets_of_one_machine_have_a_root_each(tmp_path: Path) -> None:
    """A machine that plays a cluster."""
    roots = [f"docker/{digit * 64}/kubelet/kubepods" for digit in "ab"]
    trees = _trees(tmp_path, f"{roots[0]}/pod{_UID}", f"{roots[1]}/pod{_STATIC}")

    listing = scan(trees)

    assert _uids(listing) == sorted([_STATIC, _UID])
    assert sorted(root.path for root in listing.roots) == roots


def test_what_else_is_in_a_root_is_told_apart(tmp_path: Path) -> None:
    """Its CPU time is in the root's counter, and no pod's."""
    trees = _trees(tmp_path, f"kubepods/pod{_UID}", "kubepods/besteffort/helper")

    (root,) = scan(trees).roots

    assert root.others == ("kubepods/besteffort/helper",)


def test_a_machine_without_a_kubelet_has_no_pods(tmp_path: Path) -> None:
    """Users and services may call their cgroups what they like, but not there."""
    trees = _trees(
        tmp_path,
        f"user.slice/user-1000.slice/kubepods/pod{_UID}",
        f"system.slice/my.service/kubepods/pod{_UID}",
        f"system.slice/pod{_UID}",
    )

    assert scan(trees).pods == ()
    assert not has_pods(trees)


def test_a_machine_full_of_containers_is_searched_within_bounds(tmp_path: Path) -> None:
    """Hundreds of them must not make the look every half minute expensive."""
    trees = _trees(
        tmp_path, *(f"docker/{number:064x}/a.slice" for number in range(600))
    )

    assert scan(trees).pods == ()


def test_directories_that_pods_come_into_are_named_for_watching(tmp_path: Path) -> None:
    """And those into which a root would come."""
    trees = _trees(tmp_path, f"kubelet/kubepods/burstable/pod{_UID}")

    holders = scan(trees).holders

    assert {(holder.path, holder.role) for holder in holders} == {
        ("", "roots"),
        ("kubelet", "roots"),
        ("kubelet/kubepods", "pods"),
        ("kubelet/kubepods/burstable", "pods"),
    }


@pytest.mark.parametrize(
    ("text", "uid"),
    [
        (f"0::/kubepods/burstable/pod{_UID}/{_CONTAINER}\n", _UID),
        (
            (
                f"3:cpu,cpuacct:/kubepods.slice/kubepods-pod{_UNDERSCORED}.slice/"
                f"crio-{_CONTAINER}.scope\n"
            ),
            _UID,
        ),
        (f"0::/kubelet/kubepods/pod{_STATIC}", _STATIC),
        ("0::/system.slice/podman.service\n", None),
        ("0::/user.slice\n", None),
        ("", None),
    ],
)
def test_the_pod_of_a_process_is_in_the_path_of_its_cgroup(
    text: str, uid: str | None
) -> None:
    """As /proc/PID/cgroup shows it, in both versions."""
    assert pod_in_path(text) == uid
