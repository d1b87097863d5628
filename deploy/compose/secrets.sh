#!/bin/sh
# Make ./secrets for compose.yaml: passwords, the addresses that hold them, and a certificate with
# which PostgreSQL proves that it is the one.
# Nobody but you may enter the folder; what is in it can be read by all, because the containers'
# own users must: each sees only the files it is given.
set -eu
mkdir -m 700 secrets
mkdir -p certs
password() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
owner=$(password)
application=$(password)
queue=$(password)
umask 022
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
  -subj /CN=database -addext subjectAltName=DNS:database \
  -keyout secrets/database_key -out secrets/database_certificate 2>/dev/null
chmod 644 secrets/database_key
proved='sslmode=verify-full&sslrootcert=/run/secrets/database_certificate'
printf '%s\n' "$owner" > secrets/owner_password
printf '%s\n' "$application" > secrets/application_password
printf '%s\n' "$queue" > secrets/queue_password
printf 'postgresql://kegui:%s@database/kegui?%s\n' "$owner" "$proved" > secrets/database_owner_url
printf 'postgresql://kegui_app:%s@database/kegui?%s\n' "$application" "$proved" > secrets/database_url
printf 'redis://:%s@queue:6379/0\n' "$queue" > secrets/queue_url
