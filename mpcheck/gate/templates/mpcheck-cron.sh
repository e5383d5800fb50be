#!/bin/bash
# Judge a branch with mpcheck whenever it has moved: for cron, which mails what is printed, so that green is silent.
#
#     mpcheck-cron.sh REPOSITORY RESULTS [BRANCH]
#
# REPOSITORY: an URL or path that git can clone. RESULTS: a directory that keeps DATE-COMMIT/ of every run, with report.html, and the
# commit judged last, against which the next one is compared. BRANCH: default main. What is judged is said in the repository's
# mpcheck.toml. Exit status: the gate's, 0 green, 1 red, 2 bad input or nothing judged; 0 where there was nothing new.
#
# MPCHECK_PYTHON: python of an environment that has mpcheck; without it one is made for each run. MPCHECK_KEEP: how many runs are kept
# (60). MPCHECK_GATE_BASE=none: compare with nothing, where the repository has models and structures but no code.
set -euo pipefail
trap 'echo "mpcheck: line $LINENO of ${BASH_SOURCE[0]##*/} failed, and nothing was judged" >&2; exit 2' ERR # not 1, which means red

if (($# < 2 || $# > 3)); then
    echo "usage: $0 REPOSITORY RESULTS [BRANCH]" >&2
    exit 2
fi
repository="$1" branch="${3:-main}" keep="${MPCHECK_KEEP:-60}"
mkdir -p "$2"
results="$(cd "$2" && pwd)"

exec 9>"$results/.lock"
if ! flock --nonblock 9; then
    exit 0 # the last run still goes on
fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
git clone --quiet --branch "$branch" -- "$repository" "$work/checkout"
head="$(git -C "$work/checkout" rev-parse HEAD)"
last="$(cat "$results/last-commit" 2>/dev/null || true)"
if [[ "$head" == "$last" ]]; then
    exit 0
fi
if ! git -C "$work/checkout" cat-file -e "$last^{commit}" 2>/dev/null; then
    last="none" # the first run, or a history that was rewritten
elif git -C "$work/checkout" diff --quiet "$last" "$head"; then
    echo "$head" >"$results/last-commit" # other commits, the very same files
    exit 0
fi

python="${MPCHECK_PYTHON:-}"
if [[ -z "$python" ]]; then
    python3 -m venv "$work/venv"
    python="$work/venv/bin/python"
    "$python" -m pip install --quiet mpcheck
fi

out="$results/$(date -u +%Y%m%dT%H%M%SZ)-${head:0:12}"
mkdir -p "$out"
cd "$work/checkout"
export TMPDIR="$work" MPCHECK_GATE_BASE="${MPCHECK_GATE_BASE:-$last}" MPCHECK_GATE_OUT="$out"
# what changed in settings and files has been merged, after somebody's review: told, not red
export MPCHECK_GATE_ALLOW="${MPCHECK_GATE_ALLOW:-settings,model,structures,baselines}"
status=0
"$python" -m mpcheck gate >"$out/gate.log" 2>&1 9>&- || status=$?
if ((status < 2)); then
    echo "$head" >"$results/last-commit" # bad input is tried again
fi

# names begin with the date, so that the oldest come first
find "$results" -mindepth 1 -maxdepth 1 -type d -name '20*Z-*' | sort | head -n "-$keep" | xargs -r -d '\n' rm -rf --
if ((status)); then
    cat "$out/gate.log"
    echo "mpcheck: $branch at ${head:0:12}: status $status; the report is $out/report.html"
fi
exit "$status"
