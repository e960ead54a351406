# shellcheck shell=bash
# Instances as containers of the service `web`: as many new ones as there are old ones are started beside them, and nginx looks the name up anew.
cd "$here/.."
compose=(docker compose ${COMPOSE_ARGUMENTS:-})

lock_file() { echo "$here/../.deploy.lock"; }

begin() {
  read -ra old_ids < <("${compose[@]}" ps --quiet --status running web | tr '\n' ' ') || true
  # What an interrupted deployment left: of another version than what serves, which .env says.
  local id serving kept=()
  serving=$(sed -n 's/^VERSION=//p' .env)
  for id in ${old_ids[@]+"${old_ids[@]}"}; do
    if [[ $(docker inspect --format '{{index .Config.Labels "instaslice.version"}}' "$id") == "$serving" ]]; then kept+=("$id")
    else docker stop --time 35 "$id" >/dev/null && docker rm "$id" >/dev/null; fi
  done
  old_ids=(${kept[@]+"${kept[@]}"})
  old=$(addresses ${old_ids[@]+"${old_ids[@]}"})
  new= new_ids=()
}

start_new() {
  local many=${#old_ids[@]} id
  ((many)) || many=2
  VERSION=$version "${compose[@]}" up --detach --no-deps --no-recreate --scale "web=$((${#old_ids[@]} + many))" web
  for id in $("${compose[@]}" ps --quiet web); do
    [[ " ${old_ids[*]:-} " == *" $id "* ]] || new_ids+=("$id")
  done
  new=$(addresses "${new_ids[@]}")
  VERSION=$version "${compose[@]}" up --detach --no-deps nginx
  reload
}

# On the network that nginx is in too.
addresses() {
  local id
  for id; do docker inspect --format '{{range $name, $network := .NetworkSettings.Networks}}{{if eq $name "instaslice_front"}}{{$network.IPAddress}}:8080 {{end}}{{end}}' "$id"; done | tr -d '\n'
}

reload() { "${compose[@]}" exec -T nginx nginx -s reload; }

is_ready() {
  local id
  for id in "${new_ids[@]}"; do
    [[ $(addresses "$id") != "$1 " ]] || [[ $(docker inspect --format '{{.State.Health.Status}}' "$id") != healthy ]] || { reload; return 0; }
  done
  return 1
}

end_new() { end_ids ${new_ids[@]+"${new_ids[@]}"}; }

end_old() {
  sed -i "s/^VERSION=.*/VERSION=$version/" .env
  end_ids ${old_ids[@]+"${old_ids[@]}"}
}

end_ids() {
  (($#)) || return 0
  docker stop --time 35 "$@" >/dev/null
  docker rm "$@" >/dev/null
  reload
}

access_log() { "${compose[@]}" logs --no-color --no-log-prefix --since "$1" nginx; }
