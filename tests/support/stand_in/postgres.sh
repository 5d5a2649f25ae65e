#!/bin/sh
# What PostgreSQL's own image does at its start, as far as our compose file relies on it: a new
# volume gets a superuser with a password, and /docker-entrypoint-initdb.d/*.sql runs once, on a
# server that nobody reaches by TCP yet.
set -eu

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chown postgres "$PGDATA" /var/run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --clear-groups sh "$0"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    echo "$POSTGRES_PASSWORD" >/tmp/password
    initdb --username=postgres --pwfile=/tmp/password --encoding=UTF8 --locale=C --no-sync
    rm /tmp/password
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    pg_ctl --wait --options="-c listen_addresses=''" start
    for file in /docker-entrypoint-initdb.d/*.sql; do
        psql -v ON_ERROR_STOP=1 --username=postgres --no-psqlrc --file="$file"
    done
    pg_ctl --wait stop
fi
exec postgres -c listen_addresses='*' -c fsync=off
