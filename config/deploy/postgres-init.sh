#!/bin/sh
# Run once by the Postgres image: the owner of the schemas and the login of the application.
set -eu
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
	-v owner="$MAESTRO_OWNER_PASSWORD" -v app="$MAESTRO_APP_PASSWORD" <<'SQL'
CREATE ROLE maestro_owner LOGIN CREATEROLE CREATEDB PASSWORD :'owner';
CREATE ROLE maestro_app LOGIN NOINHERIT PASSWORD :'app';
CREATE DATABASE maestro OWNER maestro_owner;
\connect maestro
CREATE EXTENSION IF NOT EXISTS pg_trgm;
SQL
