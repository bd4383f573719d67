#!/usr/bin/env bash
# Install jouled as a service of a bare node, or the hub of a site; upgrade it, or
# remove it.
#
# Usage: deploy/systemd/install.sh [OPTION...]
#
#   --hub           the hub, not the daemon of a node; a machine may have both
#   --kubernetes    also what asks a kubelet which pod holds which GPU; later upgrades
#                   keep it
#   --wheel FILE    install this wheel of jouled, not the checkout around this script
#   --wheels DIR    take packages from here and nowhere else, for machines without a
#                   way to a package index
#   --python PYTHON use this Python, 3.11 or later
#   --root DIR      install below DIR, for an image of a node; starts nothing
#   --no-start      neither enable nor start the service
#   --uninstall     remove the service, and the program unless the other service needs
#                   it; keep configuration, state and user
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
package=$source start=yes action=install what=node pins=run
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
    --hub) what=hub ;;
    --kubernetes) pins=kubernetes ;;
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
node_unit=$root/etc/systemd/system/jouled.service
hub_unit=$root/etc/systemd/system/jouled-hub.service
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

    # Whoever upgrades need not remember what the program was installed with.
    if compgen -G "$root$prefix/lib/python3*/site-packages/grpc" >/dev/null; then
        pins=kubernetes
    fi

    # Made beside the old one, so that a failure half-way breaks nothing.
    run rm -rf "$new" "$root$prefix.old"
    trap 'rm -rf "$new"' EXIT
    run mkdir -p "$(dirname "$new")"
    run "$python" -m venv "$new"
    local offline=()
    [[ -n $wheels ]] && offline=(--no-index --find-links "$wheels")
    run "$new/bin/pip" install -qq --disable-pip-version-check --no-cache-dir \
        "${offline[@]}" --require-hashes --requirement "$source/requirements/$pins.txt"
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

# Start a service, or start it again with the new program; not "start": an old version
# may be running.
bring_up() {
    # In an image of a node this makes the link that the boot follows.
    run systemctl ${root:+"--root=$root"} enable "$1"
    if has_systemd; then
        run systemctl restart "$1"
    fi
}

take_down() {
    if has_systemd; then
        run systemctl disable --now "$1"
    else
        run systemctl ${root:+"--root=$root"} disable "$1"
    fi
}

install_command() {
    run mkdir -p "$(dirname "$command")"
    run ln -sfn "$prefix/bin/jouled" "$command"
}

# Write settings that are not there yet; tells whether it did.
install_settings() {
    [[ ! -e $root/etc/jouled/$1 ]] || return
    run install -D -m 0644 "$here/$1" "$root/etc/jouled/$1"
}

install_node() {
    install_program
    install_command
    run install -D -m 0644 "$here/jouled.sysusers" "$sysusers"
    if [[ -z $root ]]; then
        run systemd-sysusers "$sysusers"
    fi
    install_settings jouled.yml || true
    run install -D -m 0644 "$here/jouled.service" "$node_unit"
    if has_systemd; then
        run systemctl daemon-reload
        run systemctl try-restart jouled-hub.service
    fi
    if [[ -z $start ]]; then
        return
    fi
    bring_up jouled.service
    if has_systemd; then
        echo "jouled is running: see http://localhost:9878/, jouled check," \
            "and /etc/jouled/jouled.yml"
    fi
}

install_hub() {
    local is_new=
    install_program
    install_command
    # Tokens are put here; the service hands them to the hub, who could not read them.
    run install -d -m 0700 "$root/etc/jouled/hub"
    install_settings hub.yml && is_new=yes
    run install -D -m 0644 "$here/jouled-hub.service" "$hub_unit"
    if has_systemd; then
        run systemctl daemon-reload
        run systemctl try-restart jouled.service
    fi
    if [[ -n $is_new ]]; then
        # Which zone the site is in is never guessed, so it cannot start yet.
        echo "name the grid zones of the site in $root/etc/jouled/hub.yml; then" \
            "systemctl enable --now jouled-hub"
        return
    fi
    if [[ -z $start ]]; then
        return
    fi
    bring_up jouled-hub.service
    if has_systemd; then
        echo "the hub is running: see http://localhost:9879/ and /etc/jouled/hub.yml"
    fi
}

remove_program() {
    run rm -f "$command"
    run rm -rf "$root$prefix" "$new" "$root$prefix.old"
}

uninstall_node() {
    if [[ -e $node_unit ]]; then
        take_down jouled.service
    fi
    run rm -f "$node_unit"
    if has_systemd; then
        run systemctl daemon-reload
    fi
    run rm -rf "$root/run/jouled"
    [[ -e $hub_unit ]] || remove_program
    if [[ -z $purge ]]; then
        echo "kept: $root/etc/jouled, $root/var/lib/jouled and the user jouled;" \
            "--purge removes them"
        return
    fi
    remove_settings hub.yml jouled.yml
    run rm -rf "$root/etc/default/jouled" "$root/var/lib/jouled"
    run rm -f "$sysusers"
    if [[ -z $root ]] && id jouled >/dev/null 2>&1; then
        run userdel jouled
    fi
}

uninstall_hub() {
    if [[ -e $hub_unit ]]; then
        take_down jouled-hub.service
    fi
    run rm -f "$hub_unit"
    if has_systemd; then
        run systemctl daemon-reload
    fi
    [[ -e $node_unit ]] || remove_program
    if [[ -z $purge ]]; then
        echo "kept: $root/etc/jouled and $root/var/lib/private/jouled-hub;" \
            "--purge removes what is the hub's of them"
        return
    fi
    remove_settings jouled.yml hub.yml hub
    run rm -rf "$root/etc/default/jouled-hub" "$root/var/lib/jouled-hub" \
        "$root/var/lib/private/jouled-hub"
}

# Remove the directory of settings; if the other service has its file there, only ours.
remove_settings() {
    local others=$1 ours
    shift
    if [[ ! -e $root/etc/jouled/$others ]]; then
        run rm -rf "$root/etc/jouled"
        return
    fi
    for ours in "$@"; do
        run rm -rf "$root/etc/jouled/$ours"
    done
}

"${action}_$what"
