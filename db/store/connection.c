// SPDX-License-Identifier: GPL-3.0-or-later
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "db/store/internal.h"

/*
 * Startup options and not SET, so that they hold behind a pooler, too. Plans must stay right while tables
 * grow from nothing to millions of rows under one prepared statement: every hot query has its index, so one
 * generic plan serves, and scans and joins that read more than that index finds are ruled out. Compiling
 * never pays for queries this short.
 */
static const char SESSION_OPTIONS[] =
    "-c lock_timeout=10s -c idle_in_transaction_session_timeout=60s -c statement_timeout=60s -c jit=off "
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off "
    "-c enable_hashjoin=off -c enable_mergejoin=off -c client_min_messages=warning";

enum status connection_check_url(const char *url, struct err *err)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &message);
    if (options == NULL) {
        err_set(err, STATUS_INVALID, "the database url is malformed: %s",
                message == NULL ? "no memory" : message);
        PQfreemem(message);
        return STATUS_INVALID;
    }
    PQconninfoFree(options);
    return STATUS_OK;
}

static enum status refuse_session(PGconn *pg, struct err *err)
{
    char text[512];
    const char *message = PQerrorMessage(pg);
    size_t length = strlen(message);
    while (length > 0 && message[length - 1] == '\n')
        length--;
    if (length >= sizeof text)
        length = sizeof text - 1;
    memcpy(text, message, length);
    text[length] = '\0';
    /* libpq keeps no SQLSTATE of a refused connection: wrong passwords and names are told by trying again in
     * vain. */
    return err_set(err, STATUS_UNAVAILABLE, "cannot connect to the database: %s", text);
}

static void hear_notice(void *context, const char *message)
{
    (void)context;
    log_debug("store", "notice", LOG_TEXT("text", message));
}

PGconn *connection_open(const char *url, const char *application_name, enum status *status, struct err *err)
{
    /*
     * What the url says comes last and wins. Of several hosts the one that takes writes is meant: a standby
     * would serve reads that are out of date. A host that is gone without a word is given up before the
     * usual failover (30 s) is over, so that nothing waits for it when there is a primary again.
     */
    static const char *const KEYS[] = {"application_name",
                                       "connect_timeout",
                                       "keepalives_idle",
                                       "keepalives_interval",
                                       "keepalives_count",
                                       "tcp_user_timeout",
                                       "options",
                                       "client_encoding",
                                       "target_session_attrs",
                                       "dbname",
                                       NULL};
    const char *values[] = {application_name, "3",    "5",       "2", "3", "10000",
                            SESSION_OPTIONS,  "UTF8", "primary", url, NULL};
    PGconn *pg = PQconnectdbParams(KEYS, values, 1);
    if (pg == NULL) {
        *status = err_set(err, STATUS_NO_MEMORY, "no memory for a database connection");
        return NULL;
    }
    if (PQstatus(pg) != CONNECTION_OK) {
        *status = refuse_session(pg, err);
        PQfinish(pg);
        return NULL;
    }
    PQsetNoticeProcessor(pg, hear_notice, NULL);
    *status = STATUS_OK;
    return pg;
}

void connection_close(struct connection *connection)
{
    PQfinish(connection->pg);
    connection->pg = NULL;
    memset(connection->prepared, 0, sizeof connection->prepared);
}

bool connection_is_alive(struct connection *connection)
{
    /* An idle session has nothing to say: what arrives is its end, or a notice to be read. */
    struct pollfd ready = {.fd = PQsocket(connection->pg), .events = POLLIN};
    if (ready.fd < 0)
        return false;
    if (poll(&ready, 1, 0) == 0)
        return true;
    return PQconsumeInput(connection->pg) == 1 && PQstatus(connection->pg) == CONNECTION_OK &&
           poll(&ready, 1, 0) == 0;
}
