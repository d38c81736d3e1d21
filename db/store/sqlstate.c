// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "db/store/internal.h"

/* Codes and classes (two characters), first match wins. */
static const struct {
    const char *prefix;
    struct failure failure;
} FAILURES[] = {
    {"40001", {FAILURE_CONFLICT, STATUS_CONFLICT}}, /* serialization_failure */
    {"40P01", {FAILURE_CONFLICT, STATUS_CONFLICT}}, /* deadlock_detected */
    {"23505", {FAILURE_CONFLICT, STATUS_CONFLICT}}, /* unique_violation: a race for a key */
    {"55P03", {FAILURE_CONFLICT, STATUS_CONFLICT}}, /* lock_not_available: lock_timeout */
    {"23503", {FAILURE_REFUSED, STATUS_NOT_FOUND}}, /* foreign_key_violation: its sweep or run is gone */
    {"23", {FAILURE_REFUSED, STATUS_INVALID}},      /* other constraints */
    {"22", {FAILURE_REFUSED, STATUS_INVALID}},      /* data exceptions */
    {"57014", {FAILURE_REFUSED, STATUS_DEADLINE}},  /* query_canceled: statement_timeout */
    {"57P", {FAILURE_AWAY, STATUS_UNAVAILABLE}},    /* admin_shutdown, crash_shutdown, cannot_connect_now */
    {"53300", {FAILURE_AWAY, STATUS_UNAVAILABLE}},  /* too_many_connections */
    {"08", {FAILURE_AWAY, STATUS_UNAVAILABLE}},     /* connection exceptions */
    {"25006",
     {FAILURE_AWAY, STATUS_UNAVAILABLE}},         /* read_only_sql_transaction: a standby, after a failover */
    {"25P0", {FAILURE_AWAY, STATUS_UNAVAILABLE}}, /* in failed or idle-timed-out transaction */
    {"26000", {FAILURE_STALE, STATUS_UNAVAILABLE}}, /* prepared statement is not there: a pooler in between */
    {"42P05", {FAILURE_STALE, STATUS_UNAVAILABLE}}, /* prepared statement is there already: likewise */
    {"0A000", {FAILURE_STALE, STATUS_UNAVAILABLE}}, /* cached plan must not change result type */
    {"53", {FAILURE_REFUSED, STATUS_UNAVAILABLE}},  /* disk full, out of memory */
    {"58", {FAILURE_REFUSED, STATUS_UNAVAILABLE}},  /* I/O error, missing file */
    {"XX",
     {FAILURE_REFUSED,
      STATUS_UNAVAILABLE}}, /* the server's own mistake: nothing says that the input is bad */
    {"28", {FAILURE_REFUSED, STATUS_UNAUTHENTICATED}}, /* password, pg_hba */
    {"3D000", {FAILURE_REFUSED, STATUS_NOT_FOUND}},    /* no such database */
    {"3F000", {FAILURE_REFUSED, STATUS_PRECONDITION}}, /* no such schema: not migrated */
    {"42P01", {FAILURE_REFUSED, STATUS_PRECONDITION}}, /* no such table: not migrated */
    {"42501", {FAILURE_REFUSED, STATUS_DENIED}},       /* insufficient privilege */
    {"P0", {FAILURE_REFUSED, STATUS_PRECONDITION}},    /* raised by our own SQL */
};

struct failure sqlstate_classify(const char *sqlstate)
{
    if (sqlstate == NULL || sqlstate[0] == '\0')
        return (struct failure){FAILURE_AWAY, STATUS_UNAVAILABLE};
    for (size_t i = 0; i < ARRAY_LEN(FAILURES); i++)
        if (strncmp(sqlstate, FAILURES[i].prefix, strlen(FAILURES[i].prefix)) == 0)
            return FAILURES[i].failure;
    return (struct failure){FAILURE_REFUSED, STATUS_INTERNAL};
}
