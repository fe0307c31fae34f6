#!/bin/sh
# The first word chooses the process: web, live, worker, beat, sequencer, front; setup prepares and migrates
# the database; anything else is run as it stands. NAME_FILE=/path sets NAME from a file (secrets of the engine).
set -eu

for name in SECRET_KEY DATABASE_URL DATABASE_OWNER_URL DATABASE_ADMIN_URL DATABASE_APP_PASSWORD \
    DATABASE_OWNER_PASSWORD BROKER_URL CACHE_URL CHANNELS_URL EMAIL_URL METRICS_TOKEN; do
    eval "file=\${${name}_FILE:-}"
    if [ -n "$file" ]; then
        value=$(cat "$file")
        export "$name=$value"
    fi
done

case "${1:-web}" in
    web | live | worker | beat | sequencer | front)
        exec python -m apps.cli.launch process "$@"
        ;;
    setup)
        if [ -n "${DATABASE_ADMIN_URL:-}" ]; then
            python -m apps.cli.launch prepare-database --quiet
        fi
        exec python manage.py migrate_all
        ;;
    *)
        exec "$@"
        ;;
esac
