#!/usr/bin/env bash
# Backs up the database and the media on disk, as of one moment, while the service runs. See docs/backup.md.
#
#   deploy/backup.sh DIRECTORY    makes DIRECTORY/instaslice-<time>/ and prints its path
#
# The database is the one that libpq's variables name: PGHOST (which may be a socket's directory), PGDATABASE, PGUSER, PGPASSFILE …
# The media are those in $Data__Directory/media, .instaslice/media where that is not set, as for the service.
set -euo pipefail
umask 077

fail() { printf '%s\n' "$*" >&2; exit 1; }

[[ $# == 1 && -d $1 ]] || fail "Usage: backup.sh DIRECTORY, which has to be there"
PATH=${INSTASLICE_PG_BIN:+$INSTASLICE_PG_BIN:}$PATH
media=${Data__Directory:-.instaslice}/media
whole=$(cd "$1" && pwd)/instaslice-$(date -u +%Y%m%dT%H%M%SZ)
[[ ! -e $whole ]] || fail "$whole is there already."

# Beside its later place, so that nothing less than the whole ever stands there.
part=$(mktemp -d "$1/.unfinished-XXXXXX")
trap 'rm -rf "$part"' EXIT
trap '' PIPE # or a session that ended would end this without a word

# One session for as long as it takes: what it locks is let go of whenever it ends, however that is.
coproc psql { psql -XqAt -v ON_ERROR_STOP=1; }
# shellcheck disable=SC2154 # coproc sets them; they are copied, since subshells do not have the originals
exec {to}>&"${psql[1]}" {from}<&"${psql[0]}"
ask() { # its answer, line by line; it fails where the session has ended
  local line
  printf '%s;\n\\echo done\n' "$1" >&"$to" || fail "The database broke off."
  while IFS= read -r line <&"$from"; do
    [[ $line != "done" ]] || return 0
    printf '%s\n' "$line"
  done
  fail "The database broke off."
}

# Nothing is removed from the disk until this ends: SweepMedia.cs asks for the first, MoveMedia.cs for the second.
ask "set idle_session_timeout = 0; set idle_in_transaction_session_timeout = 0; set statement_timeout = 0" >/dev/null
ask "select pg_advisory_lock(hashtext('instaslice.backup'))" >/dev/null
[[ $(ask "select pg_try_advisory_lock(hashtext('instaslice.move'))") == t ]] ||
  fail "Media are moving between the stores: back up when that is done."

# The moment. Files are written before the row that names them is committed, so all that it sees named is there.
snapshot=$(ask "begin isolation level repeatable read read only; select pg_export_snapshot()")
pg_dump --format=custom --snapshot="$snapshot" --file="$part/database.dump"
ask "copy (
    select distinct left(storage_key, 2) || '/' || substr(storage_key, 3) || '/' || file.name
    from media m join media_files f using (storage_key)
    cross join lateral ( -- as NamedFile.cs
        select 'original' as name
        union all
        select v.name from jsonb_to_recordset(m.variants || coalesce(m.avatar_variants, '[]')) as v (name text)) file
    where f.store = 'disk' order by 1) to stdout" >"$part/named"
bucket=$(ask "select count(*) from media_files where store = 's3'")
ask "commit" >/dev/null

while IFS= read -r file; do
  if [[ -e $media/$file ]]; then printf '%s\n' "$file"; else printf '%s\n' "$media/$file was missing before: see 'media check'." >&2; fi
done <"$part/named" >"$part/files"
mkdir -p "$media"
tar --create --file="$part/media.tar" --directory="$media" --no-recursion --verbatim-files-from --files-from="$part/files"
ask "select" >/dev/null # it was locked until here

files=$(wc -l <"$part/files")
rm "$part/named" "$part/files"
(cd "$part" && sha256sum database.dump media.tar >SHA256SUMS)
sync "$part"/* "$part"
mv --no-target-directory "$part" "$whole"
sync "$1"
((!bucket)) || printf '%s\n' "Left out: the files of $bucket media in the bucket, which has to be backed up by its own means." >&2
printf '%s\n' "The database and $files files of media are in:" >&2
printf '%s\n' "$whole"
