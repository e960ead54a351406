#!/usr/bin/env bash
# Restores what backup.sh made into an empty database and an empty place for media, before the service is started. See docs/backup.md.
#
#   deploy/restore.sh DIRECTORY/instaslice-<time>
#
# Where to is said as to backup.sh: libpq's variables, and Data__Directory.
set -euo pipefail

fail() { printf '%s\n' "$*" >&2; exit 1; }
ask() { psql -XqAt -v ON_ERROR_STOP=1 -c "$1"; }

[[ $# == 1 && -f $1/SHA256SUMS ]] || fail "Usage: restore.sh BACKUP, a directory that backup.sh has made"
PATH=${INSTASLICE_PG_BIN:+$INSTASLICE_PG_BIN:}$PATH
media=${Data__Directory:-.instaslice}/media

(cd "$1" && sha256sum --check --strict --quiet SHA256SUMS) || fail "$1 is damaged: nothing was restored."
[[ ! -e $media || -z $(ls -A "$media") ]] || fail "There are files in $media: nothing was restored."
database=$(ask "select current_database()")
[[ $(ask "select count(*) from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')") == 0 ]] ||
  fail "There are tables in the database $database: nothing was restored."

# Files first, out of sight: the service never finds rows whose files are not there yet.
mkdir -p "${media%/*}"
new=$(mktemp -d "$media.restoring-XXXXXX")
trap 'rm -rf "$new"' EXIT
tar --extract --file="$1/media.tar" --directory="$new" --no-same-owner
chmod 755 "$new"
sync --file-system "$new"
[[ ! -e $media ]] || rmdir "$media"
mv --no-target-directory "$new" "$media"
trap 'mv --no-target-directory "$media" "$new"; rm -rf "$new"' EXIT
pg_restore --dbname="$database" --single-transaction --exit-on-error --no-owner --no-privileges "$1/database.dump"
trap - EXIT
ask "analyze"
printf '%s\n' "Restored. Look at it with 'media check' before the service starts." >&2
