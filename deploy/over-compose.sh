# shellcheck shell=bash
# Instances as containers of the service `web`: as many new ones as there are old ones are started beside them, and nginx looks the name up anew.
# Which image serves, .env says (IMAGE=name:version); of a name without a registry the image has to be there already.
cd "$here/.." || exit
read -ra compose <<<"docker compose ${COMPOSE_ARGUMENTS:-}" # such as -f compose.yaml -f compose.tls.yaml

lock_file() { echo "$here/../.deploy.lock"; }

begin() {
  read -ra old_ids < <("${compose[@]}" ps --quiet --status running web | tr '\n' ' ') || true
  # What an interrupted deployment left is of another image than what serves.
  local id serving kept=()
  serving=$(sed -n 's/^IMAGE=//p' .env)
  image=${serving%:*}:$version
  [[ $image != "$serving" ]] || fail "$version is what serves."
  for id in ${old_ids[@]+"${old_ids[@]}"}; do
    if [[ $(docker inspect --format '{{.Config.Image}}' "$id") == "$serving" ]]; then kept+=("$id")
    else docker stop --time 35 "$id" >/dev/null && docker rm "$id" >/dev/null; fi
  done
  old_ids=(${kept[@]+"${kept[@]}"})
  old=$(addresses ${old_ids[@]+"${old_ids[@]}"})
  new='' new_ids=()
}

start_new() {
  local many=${#old_ids[@]} id
  ((many)) || many=2
  IMAGE=$image "${compose[@]}" up --detach --no-build --no-deps --no-recreate --scale "web=$((${#old_ids[@]} + many))" web
  for id in $("${compose[@]}" ps --quiet web); do
    [[ " ${old_ids[*]:-} " == *" $id "* ]] || new_ids+=("$id")
  done
  new=$(addresses "${new_ids[@]}")
  ((${#old_ids[@]})) || "${compose[@]}" up --detach --no-deps nginx
}

# On the network that nginx is in too.
addresses() {
  local id
  for id; do docker inspect --format '{{range $name, $network := .NetworkSettings.Networks}}{{if eq $name "instaslice_edge"}}{{$network.IPAddress}}:8080 {{end}}{{end}}' "$id"; done | tr -d '\n'
}

reload() { "${compose[@]}" exec -T nginx nginx -p /srv -c /etc/instaslice/nginx.conf -s reload; }

is_ready() {
  local id
  for id in "${new_ids[@]}"; do
    [[ $(addresses "$id") != "$1 " ]] || [[ $(docker inspect --format '{{.State.Health.Status}}' "$id") != healthy ]] || { reload; return 0; }
  done
  return 1
}

end_new() { end_ids ${new_ids[@]+"${new_ids[@]}"}; }

end_old() {
  sed -i "s|^IMAGE=.*|IMAGE=$image|" .env
  end_ids ${old_ids[@]+"${old_ids[@]}"}
}

end_ids() {
  (($#)) || return 0
  docker stop --time 35 "$@" >/dev/null
  docker rm "$@" >/dev/null
  reload
}

access_log() { "${compose[@]}" logs --no-color --no-log-prefix --since "$1" nginx; }
