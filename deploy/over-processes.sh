# shellcheck shell=bash
# Instances as processes, each with a port of its own: half of the ports serve, the other half wait for the next version. nginx knows them all
# (upstream.conf: server 127.0.0.1:PORT max_fails=2 fail_timeout=5s;), tries another where one does not listen, and so has nothing to be
# told. To reload it instead would now and then close a client's idle connection just as that sends its next request.
#
#   $INSTASLICE_HOME/releases/VERSION/   what `dotnet publish` made      slots/PORT -> ../releases/VERSION
#   $INSTASLICE_HOME/environment         the settings, NAME=value        run/serving    the ports that serve
home=${INSTASLICE_HOME:-/opt/instaslice}
read -ra ports <<<"${INSTASLICE_PORTS:-8081 8082 8083 8084}"
half=$((${#ports[@]} / 2))

lock_file() { mkdir -p "$home"/{run,slots,log} && echo "$home/run/deploy.lock"; }

has_systemd() { [[ -d /run/systemd/system && ! ${INSTASLICE_HOME:-} ]]; }

addresses() { printf '127.0.0.1:%s ' "$@"; }

begin() {
  [[ -f $home/releases/$version/InstaSlice.dll ]] || fail "There is no $home/releases/$version/InstaSlice.dll."
  read -ra old_ports < <(cat "$home/run/serving" 2>/dev/null || true) || true
  new_ports=("${ports[@]:0:half}")
  [[ ${old_ports[*]:-} != "${new_ports[*]}" ]] || new_ports=("${ports[@]:half}")
  old=$( ((!${#old_ports[@]})) || addresses "${old_ports[@]}")
  new=$(addresses "${new_ports[@]}")
  end_new
}

start_new() {
  local port
  for port in "${new_ports[@]}"; do
    ln -sfn "../releases/$version" "$home/slots/$port"
    if has_systemd; then
      systemctl enable --quiet --now "instaslice@$port"
    else
      # In the environment file's own words, and as a session of its own: it outlives this script, and its lock.
      (
        exec {lock}>&-
        set -a && . "$home/environment" && set +a
        export ASPNETCORE_URLS=http://127.0.0.1:$port
        cd "$home" && exec setsid dotnet "$home/slots/$port/InstaSlice.dll" >>"$home/log/$port.log" 2>&1 </dev/null
      ) &
      echo $! >"$home/run/$port.pid"
    fi
  done
}

is_ready() { curl -fsS -o /dev/null --max-time 5 "http://$1/health/ready" 2>/dev/null; }

end_new() { end_ports "${new_ports[@]}"; }

end_old() {
  echo "${new_ports[*]}" >"$home/run/serving.new" && mv "$home/run/serving.new" "$home/run/serving"
  end_ports ${old_ports[@]+"${old_ports[@]}"}
}

# They drain, which takes 30 seconds at most.
end_ports() {
  local port pid
  for port; do
    if has_systemd; then systemctl disable --quiet --now --no-block "instaslice@$port"
    elif pid=$(pid_of "$port"); then kill -TERM "$pid" 2>/dev/null || true; fi
  done
  for port; do
    local deadline=$((SECONDS + 40))
    while runs "$port" && ((SECONDS < deadline)); do sleep 0.1; done
    ! runs "$port" || kill -KILL "$(pid_of "$port")"
    rm -f "$home/run/$port.pid"
  done
}

runs() { if has_systemd; then systemctl is-active --quiet "instaslice@$1"; else pid_of "$1" >/dev/null; fi; }

# Only what is an instance of ours: after a restart of the machine the number may be somebody else's.
pid_of() {
  local pid
  if has_systemd; then
    systemctl show --property MainPID --value "instaslice@$1"
    return
  fi
  pid=$(cat "$home/run/$1.pid" 2>/dev/null) && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$home/slots/$1/InstaSlice.dll" && echo "$pid"
}

access_log() { # UTC everywhere, so that times can be compared as text
  awk -v since="$(date -u -d "@$1" +%Y-%m-%dT%H:%M:%S)" 'match($0, /"time":"[^"]*"/) && substr($0, RSTART + 8, 19) >= since' "$home/log/nginx.log" 2>/dev/null || true
}
