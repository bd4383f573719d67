#!/usr/bin/env bash
# Install jouled as a service of a bare node, upgrade it, or remove it.
#
# Usage: deploy/systemd/install.sh [OPTION...]
#
#   --wheel FILE    install this wheel of jouled, not the checkout around this script
#   --wheels DIR    take packages from here and nowhere else, for machines without a
#                   way to a package index
#   --python PYTHON use this Python, 3.11 or later
#   --root DIR      install below DIR, for an image of a node; starts nothing
#   --no-start      neither enable nor start the service
#   --uninstall     remove program and service; keep configuration, state and user
#   --purge         with --uninstall: remove those too
#   --dry-run       only say what would be done
#
# Run it again to upgrade: configuration and state stay, and a step that fails leaves
# the old version running.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(cd "$here/../.." && pwd)

usage() {
    sed -nE '2,/^[^#]/ s/^# ?//p' "$0"
}

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

root='' wheels='' python='' purge='' dry_run=''
package=$source start=yes action=install
while [[ $# -gt 0 ]]; do
    option=$1
    shift
    case $option in
    --wheel | --wheels | --python | --root)
        [[ $# -gt 0 ]] || fail "$option wants a value"
        value=$1
        shift
        case $option in
        --wheel) package=$(realpath -- "$value") ;;
        --wheels) wheels=$(realpath -- "$value") ;;
        --python) python=$value ;;
        --root) root=$(realpath -m -- "$value") ;;
        esac
        ;;
    --no-start) start= ;;
    --uninstall) action=uninstall ;;
    --purge) purge=yes ;;
    --dry-run) dry_run=yes ;;
    --help) usage && exit ;;
    *) fail "$option: no such option; see --help" ;;
    esac
done
[[ $root == / ]] && root=
[[ -z $purge || $action == uninstall ]] || fail "--purge goes with --uninstall"
if [[ -z $root && -z $dry_run && $(id -u) != 0 ]]; then
    fail "run it as root, or with --root or --dry-run"
fi

prefix=/opt/jouled
new=$root$prefix.new
unit=$root/etc/systemd/system/jouled.service
sysusers=$root/etc/sysusers.d/jouled.conf
command=$root/usr/local/bin/jouled

run() {
    echo "+ $*"
    [[ -n $dry_run ]] || "$@"
}

# Whether there is a service manager to talk to, and it is that of the target.
has_systemd() {
    [[ -z $root && -d /run/systemd/system ]]
}

install_program() {
    python=$("$source/scripts/find-python.sh" "$python")
    "$python" -c 'import ensurepip' 2>/dev/null ||
        fail "$python has no ensurepip; on Debian and Ubuntu install python3-venv"
    local home
    home=$("$python" -c 'import os, sys; print(os.path.realpath(sys.base_prefix))')
    if [[ -z $root && $home == @(/home|/root|/tmp)/* ]]; then
        fail "$python is in $home, which the service may not see;" \
            "take another, such as --python /usr/bin/python3"
    fi

    # Made beside the old one, so that a failure half-way breaks nothing.
    run rm -rf "$new" "$root$prefix.old"
    trap 'rm -rf "$new"' EXIT
    run mkdir -p "$(dirname "$new")"
    run "$python" -m venv "$new"
    local offline=()
    [[ -n $wheels ]] && offline=(--no-index --find-links "$wheels")
    run "$new/bin/pip" install -qq --disable-pip-version-check --no-cache-dir \
        "${offline[@]}" --require-hashes --requirement "$source/requirements/run.txt"
    run "$new/bin/pip" install -qq --disable-pip-version-check --no-cache-dir \
        --no-index --no-build-isolation --no-deps "$package"
    # Scripts name the interpreter where it will be.
    echo "+ sed s|$new|$prefix| $new/bin/* $new/pyvenv.cfg"
    if [[ -z $dry_run ]]; then
        grep -rlIF "$new" "$new/bin" "$new/pyvenv.cfg" |
            xargs sed -i "s|$new|$prefix|g"
    fi
    [[ -e $root$prefix ]] && run mv -T "$root$prefix" "$root$prefix.old"
    run mv -T "$new" "$root$prefix"
    run rm -rf "$root$prefix.old"
    trap - EXIT
}

install_all() {
    install_program
    run mkdir -p "$(dirname "$command")"
    run ln -sfn "$prefix/bin/jouled" "$command"
    run install -D -m 0644 "$here/jouled.sysusers" "$sysusers"
    if [[ -z $root ]]; then
        run systemd-sysusers "$sysusers"
    fi
    if [[ ! -e $root/etc/jouled/jouled.yml ]]; then
        run install -D -m 0644 "$here/jouled.yml" "$root/etc/jouled/jouled.yml"
    fi
    run install -D -m 0644 "$here/jouled.service" "$unit"
    if has_systemd; then
        run systemctl daemon-reload
    fi
    if [[ -z $start ]]; then
        return
    fi
    # In an image of a node this makes the link that the boot follows.
    run systemctl ${root:+"--root=$root"} enable jouled.service
    if has_systemd; then
        # Not "start": an old version may be running.
        run systemctl restart jouled.service
        echo "jouled is running: see http://localhost:9878/, jouled check," \
            "and /etc/jouled/jouled.yml"
    fi
}

uninstall_all() {
    if [[ -e $unit ]]; then
        if has_systemd; then
            run systemctl disable --now jouled.service
        else
            run systemctl ${root:+"--root=$root"} disable jouled.service
        fi
    fi
    run rm -f "$unit" "$command"
    if has_systemd; then
        run systemctl daemon-reload
    fi
    run rm -rf "$root$prefix" "$new" "$root$prefix.old" "$root/run/jouled"
    if [[ -z $purge ]]; then
        echo "kept: $root/etc/jouled, $root/var/lib/jouled and the user jouled;" \
            "--purge removes them"
        return
    fi
    run rm -rf "$root/etc/jouled" "$root/etc/default/jouled" "$root/var/lib/jouled"
    run rm -f "$sysusers"
    if [[ -z $root ]] && id jouled >/dev/null 2>&1; then
        run userdel jouled
    fi
}

"${action}_all"
