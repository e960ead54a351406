#!/usr/bin/env bash
# Brings VERSION up beside what serves, watches it, and then lets the old one finish; or ends the new one, when it does not get ready or
# answers worse. No request fails meanwhile. Can be interrupted anywhere, and repeated: what serves stays until its successor has proven itself.
#
#   deploy/deploy.sh VERSION
#
# Over compose where compose.yaml's containers run; else over processes, by systemd where that runs. How each of them does it is in
# deploy/over-compose.sh and deploy/over-processes.sh, five functions each; docs/deployment.md tells how to set a server up.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

ready_seconds=${DEPLOY_READY_SECONDS:-120} # the migrations are in it
watch_seconds=${DEPLOY_WATCH_SECONDS:-60}
least_requests=20 # of fewer, one that failed says nothing

say() { printf '%s %s\n' "$(date -u +%H:%M:%S)" "$*" >&2; }
fail() { say "$*"; exit 1; }

[[ ${1:-} =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] || fail "Usage: deploy.sh VERSION, such as 1.2.3; given: '${1:-}'."
version=$1

# A manner defines: lock_file · begin (finds $old and $new, the addresses of the instances that serve and of those to come; ends what an
# interrupted deployment left of the latter) · start_new · is_ready ADDRESS · end_new · end_old (after which the new ones are those that
# serve) · access_log SECONDS_SINCE_1970 (nginx's lines since then, and perhaps some before).
if [[ ${DEPLOY_OVER:-} == processes ]] || ! docker compose version >/dev/null 2>&1; then
  # shellcheck source=deploy/over-processes.sh
  . "$here/over-processes.sh"
else
  # shellcheck source=deploy/over-compose.sh
  . "$here/over-compose.sh"
fi

exec {lock}>"$(lock_file)"
# What a killed one still runs holds the lock too, and ends by itself within five seconds.
flock -w 6 "$lock" || fail "Another deployment is under way."

# How many requests that began since then the instances at these addresses answered, and how many of those with a fault of theirs (5xx).
# nginx names all that it tried, one after the other. A request that began before may have been refused while the new ones still started.
answers() { # <since> <addresses>
  access_log "${1%.*}" | awk -v since="$1" -v wanted="$2" '
    BEGIN { n = split(wanted, list, " "); for (i = 1; i <= n; i++) ours[list[i]] }
    function number(name) { return match($0, "\"" name "\":[0-9.]+") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3) : 0 }
    (number("ended") == 0 || number("ended") - number("seconds") >= since) && match($0, /"tried":"[^"]*"/) { # an older nginx.conf: without
      count = split(substr($0, RSTART + 9, RLENGTH - 10), tried, ", ")
      match($0, /"triedStatus":"[^"]*"/)
      split(substr($0, RSTART + 15, RLENGTH - 16), status, ", ")
      for (i = 1; i <= count; i++) if (tried[i] in ours) { total++; if (status[i] ~ /^5/) failed++ }
    }
    END { print total + 0, failed + 0 }'
}

is_worse() { # <since>: whether more of a hundred requests fail with the new ones than with the old ones
  local new_total new_failed old_total old_failed
  read -r new_total new_failed <<<"$(answers "$1" "$new")"
  read -r old_total old_failed <<<"$(answers "$1" "$old")"
  seen="$new_failed of $new_total requests failed with the new ones, $old_failed of $old_total with the old ones"
  ((new_total >= least_requests && new_failed * (old_total + 1) * 100 > (old_failed * 100 + old_total) * new_total))
}

go_back() { say "$*"; end_new; fail "$version was not deployed; what served before still does."; }

begin
say "$version: starting ${new:-beside ${old:-nothing}}"
start_new || go_back "It could not be started."

deadline=$((SECONDS + ready_seconds))
for address in $new; do
  until is_ready "$address"; do
    ((SECONDS < deadline)) || go_back "$address was not ready within $ready_seconds seconds."
    sleep 0.2
  done
done

if [[ $old ]]; then
  since=$(date +%s.%3N) end=$((SECONDS + watch_seconds)) seen=
  say "Ready; watching it for $watch_seconds seconds beside $old"
  while ((SECONDS < end)); do
    sleep 1
    ! is_worse "$since" || go_back "Worse: $seen."
    for address in $new; do is_ready "$address" || is_ready "$address" || go_back "$address is no longer ready."; done
  done
  say "$seen"
fi
end_old
say "$version serves at $new"
