#!/bin/sh
# Run by PostgreSQL's image when it makes the database: the role of web, worker and clock, which
# reads and writes what `kegui migrate` makes and owns nothing.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$(cat /run/secrets/application_password)" \
  --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE kegui_app LOGIN PASSWORD :'password';
ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO kegui_app;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO kegui_app;
SQL
