# A part of ./dev: builds Dockerfile.prod with buildah, which needs no daemon, and runs the image for real: started with its secrets as
# files, waited for by its own health check, asked, stopped.
#
# Where the base images' registry cannot be reached they are made here, under their public names, of debootstrap and this machine's SDK,
# and the three packages that a registry may lack may be replaced (docs/adr/0001). What is released is never built so.

skip() { say "The image is not built here: $*"; exit 0; }
base_images() { sed -n 's/^FROM \([^ ]*\).*/\1/p' Dockerfile.prod; }

pull_base_images() {
  local image
  for image in $(base_images); do timeout 300 "${buildah[@]}" pull -q "$image" || return; done
}

make_base_images() {
  local dotnet image container part system=$work/system
  dotnet=$(dirname "$(readlink -f "$(command -v dotnet)")")
  debootstrap --variant=minbase --include=ca-certificates,libstdc++6,"$(icu_package)" "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$system" ||
    return
  cp /etc/ssl/certs/ca-certificates.crt "$system/etc/ssl/certs/" # of whom this machine trusts
  ln -s /usr/share/dotnet/dotnet "$system/usr/bin/dotnet"
  for image in $(base_images); do
    container=$("${buildah[@]}" from scratch)
    "${buildah[@]}" add -q "$container" "$system" /
    for part in $([[ $image == */sdk:* ]] && echo . || echo dotnet host shared); do
      "${buildah[@]}" add -q "$container" "$dotnet/$part" "/usr/share/dotnet/$([[ $part == dotnet ]] || echo "$part")" || return
    done
    "${buildah[@]}" commit -q --rm "$container" "$image" || return
  done
  rm -rf "$system"
}

free_port() { # of those that nobody has right now
  local port
  while port=$((20000 + RANDOM % 10000)) && (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
  echo $port
}

start_postgres() { # on $database_port, for whoever knows the password
  local bin as=()
  bin=$(postgres_directory)
  mkdir "$work/postgres"
  head -c 16 /dev/urandom | base64 >"$work/password"
  if [[ $EUID == 0 ]]; then
    chown nobody "$work/postgres" "$work/password"
    as=(setpriv --reuid nobody --regid nogroup --clear-groups)
  fi
  (cd / && "${as[@]}" "$bin/initdb" -D "$work/postgres" -U instaslice -A scram-sha-256 --pwfile "$work/password" -E UTF8 --locale C.UTF-8) >"$work/log" 2>&1
  (cd / && exec "${as[@]}" "$bin/postgres" -D "$work/postgres" -k "$work/postgres" -h 127.0.0.1 -p "$database_port") >"$work/postgres.log" 2>&1 &
  postgres=$!
}

in_image() { # what its entry point and its health check do, in the one container
  "${buildah[@]}" run --env ASPNETCORE_HTTP_PORTS="$port" --volume "$work/secrets:/run/secrets:ro" --volume "$work/data:/data" "$container" -- "$@"
}

innermost() { # the process that buildah, and what it starts of itself, runs in the end
  local pid=$1 child
  while child=$(pgrep -P "$pid" | head -1) && [[ $child ]]; do pid=$child; done
  echo "$pid"
}

clean_up() {
  [[ ! $service ]] || kill "$(innermost "$service")" 2>/dev/null || true
  [[ ! $postgres ]] || kill "$postgres" 2>/dev/null || true
  wait || true
  rm -rf "$work"
}

image() {
  local image=localhost/instaslice container entry health url token tries allow=() secret=()
  [[ $EUID == 0 ]] || has buildah || skip "there is no buildah, and only root could install it."
  has buildah || apt_install "" buildah || skip "buildah cannot be installed."
  setup
  work=$(mktemp -d "${TMPDIR:-/var/tmp}/instaslice-image-XXXXXX") # 4 GB, and gone in the end
  chmod 755 "$work" # PostgreSQL is somebody else
  service='' postgres=''
  buildah=(env STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot buildah --root "$work/store" --runroot "$work/run")
  trap clean_up EXIT
  say "Fetching the base images …"
  if ! pull_base_images >"$work/log" 2>&1; then
    [[ $EUID == 0 ]] || skip "the base images cannot be fetched, and only root could make them: $(tail -1 "$work/log")"
    say "Their registry cannot be reached; making them of debootstrap and this SDK …"
    { has debootstrap || apt_install "" debootstrap; } && make_base_images >"$work/log" 2>&1 ||
      skip "the base images can be neither fetched nor made: $(tail -1 "$work/log")"
    allow=(--build-arg UPSTREAM=)
  fi
  container=$("${buildah[@]}" from --pull-never "$(base_images | tail -1)")
  "${buildah[@]}" run "$container" -- true >"$work/log" 2>&1 || skip "buildah can run nothing on this machine: $(tail -1 "$work/log")"
  "${buildah[@]}" rm "$container" >"$work/log"
  [[ ! -e ~/.nuget/NuGet/NuGet.Config ]] || secret=(--secret "id=nuget,src=$HOME/.nuget/NuGet/NuGet.Config")

  say "Building …"
  # In Docker's format: the open one knows no health check.
  "${buildah[@]}" bud --format docker --layers=false "${allow[@]}" "${secret[@]}" --build-arg REVISION="$(git rev-parse HEAD)" -f Dockerfile.prod -t $image . >"$work/log" 2>&1 ||
    fail "$(tail -40 "$work/log")"

  say "Starting …"
  port=$(free_port) database_port=$(free_port)
  start_postgres
  mkdir -m 777 "$work/data"
  mkdir "$work/secrets"
  head -c 32 /dev/urandom | base64 >"$work/secrets/Jwt__SigningKey"
  echo "Host=127.0.0.1;Port=$database_port;Database=postgres;Username=instaslice;Password=$(<"$work/password")" >"$work/secrets/ConnectionStrings__Postgres"
  chmod 444 "$work"/secrets/*
  container=$("${buildah[@]}" from --pull-never $image)
  mapfile -t entry < <("${buildah[@]}" inspect --type image --format '{{range .Docker.Config.Entrypoint}}{{println .}}{{end}}' $image | grep .)
  health=$("${buildah[@]}" inspect --type image --format '{{index .Docker.Config.Healthcheck.Test 1}}' $image)
  in_image "${entry[@]}" >"$work/service.log" 2>&1 &
  service=$!
  url=http://127.0.0.1:$port
  for ((tries = 0; ; tries++)); do
    ! in_image sh -c "$health" >"$work/log" 2>&1 || break
    ((tries < 60)) && kill -0 $service 2>/dev/null || fail "It did not get ready: $(tail -20 "$work/service.log" "$work/log")"
    sleep 1
  done

  say "Asking …"
  token=$(curl -fsS $url/v1/accounts -H 'Content-Type: application/json' -d '{"username": "image", "password": "correct horse battery"}' | sed 's/.*"accessToken":"\([^"]*\)".*/\1/')
  curl -fsS $url/v1/media -H "Authorization: Bearer $token" -F file=@requests/photo.jpg | grep -q '"variants"' || fail "$(tail -20 "$work/service.log")"

  kill -TERM "$(innermost $service)"
  wait $service || fail "It did not stop in order: $(tail -20 "$work/service.log")"
  say "The image builds, gets ready, takes a picture, and stops in order."
}
