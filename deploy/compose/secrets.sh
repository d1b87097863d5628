#!/bin/sh
# Make ./secrets for compose.yaml: two passwords, and the addresses that hold them.
# Nobody but you may enter the folder; what is in it can be read by all, because the containers'
# own users must: each sees only the files it is given.
set -eu
mkdir -m 700 secrets
password() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
owner=$(password)
application=$(password)
umask 022
printf '%s\n' "$owner" > secrets/owner_password
printf '%s\n' "$application" > secrets/application_password
printf 'postgresql://kegui:%s@database/kegui\n' "$owner" > secrets/database_owner_url
printf 'postgresql://kegui_app:%s@database/kegui\n' "$application" > secrets/database_url
